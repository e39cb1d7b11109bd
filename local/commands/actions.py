"""Commands about what follows a decline."""

from __future__ import annotations

from pathlib import Path

import typer

from local.commands.options import DataDir, clear_errors
from local.embedded import Places

app = typer.Typer(help="What follows a decline: frozen accounts, orders for card management.", no_args_is_help=True)


@app.command("redrive")
def actions_redrive(data_dir: DataDir = Path("var")) -> None:
    """Try the orders for card management again that were given up. Example: assay actions redrive --data-dir var"""
    import asyncio

    from local.actions import redrive

    with clear_errors():
        typer.echo(f"{asyncio.run(redrive(Places(data_dir).database))} orders will be tried again")
