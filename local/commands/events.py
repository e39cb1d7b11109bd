"""Commands about events for clients."""

from __future__ import annotations

from pathlib import Path

import typer

from local.commands.options import DataDir, clear_errors
from local.places import Places

app = typer.Typer(help="Events that clients are told of: their feeds and webhooks.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps the name of the one command."""


@app.command("redrive")
def events_redrive(data_dir: DataDir = Path("var")) -> None:
    """Push what webhooks did not take once more; the running server does. Example: assay events redrive"""

    from local.client_events import redrive

    with clear_errors():
        typer.echo(f"{redrive(Places(data_dir).database)} deliveries are pending again")
