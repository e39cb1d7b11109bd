"""Commands that evaluate: on public data, and on a simulated bank."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, Seed, clear_errors
from local.places import MODELS, Places

app = typer.Typer(help="Evaluate, on public data or a simulated bank.", no_args_is_help=True)


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
    seed: Seed = 7,
    as_json: AsJson = False,
) -> None:
    """The Fraud Detection Handbook: published rows, then ours. Example: assay evaluate handbook --published"""
    from training.handbook.command import run

    with clear_errors():
        raise typer.Exit(run(data, out, seed, published, as_json))


@app.command()
def simulator(
    customers: Annotated[int, typer.Option(help="Size of the simulated bank.", min=50)] = 1_500,
    days: Annotated[int, typer.Option(help="Length of its history; the last 40 % are judged.", min=20)] = 90,
    seed: Seed = 11,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """The champion on a simulated bank of another seed than its own. Example: assay evaluate simulator --seed 12"""
    from local.simulator_report import run
    from training.simulator import NO_SHIFT

    with clear_errors():
        run(Places(data_dir, models), seed, customers, days, NO_SHIFT, as_json)
