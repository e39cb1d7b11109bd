"""Commands about alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import DataDir, ModelsDir, clear_errors
from local.places import MODELS, Places

app = typer.Typer(help="Alerts: who is told of what.", no_args_is_help=True)


@app.command("check")
def alerts_check(
    file: Annotated[Path | None, typer.Argument(help="The file, when it is not the data folder's.")] = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
) -> None:
    """Say what is wrong with alerts.yaml, secrets and rules included. Example: assay alerts check alerts.yaml"""
    from local.alerts import check
    from local.champion import open_champion

    with clear_errors():
        typer.echo(check(file or data_dir / "alerts.yaml", open_champion(Places(data_dir, models))))


@app.command("redrive")
def alerts_redrive(data_dir: DataDir = Path("var")) -> None:
    """Send what was given up once more; the running server does. Example: assay alerts redrive"""
    from local.alerts import redrive

    with clear_errors():
        typer.echo(f"{redrive(Places(data_dir).database)} messages are pending again")
