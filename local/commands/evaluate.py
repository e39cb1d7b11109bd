"""Commands that evaluate on public data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, clear_errors

app = typer.Typer(help="Evaluate on public data.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One command per data set."""


@app.command()
def handbook(
    published: Annotated[bool, typer.Option("--published", help="Only reproduce the published rows.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the Handbook's data; else ASSAY_DATA_DIR, else fetched.", file_okay=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for handbook.json and handbook.md.")] = Path("var/evaluation"),
    seed: Annotated[int, typer.Option(help="Same seed, same figures.")] = 7,
    as_json: AsJson = False,
) -> None:
    """The Fraud Detection Handbook: published rows, then ours. Example: assay evaluate handbook --published"""
    from training.handbook.command import run

    with clear_errors():
        raise typer.Exit(run(data, out, seed, published, as_json))
