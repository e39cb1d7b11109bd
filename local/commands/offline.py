"""Commands that score again: files, and single decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, Client, DataDir, ModelsDir, clear_errors
from local.places import MODELS, Places

app = typer.Typer()


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet of transactions.", exists=True, dir_okay=False)],
    mapping: Annotated[
        str, typer.Option(help="`assay`, `handbook`, or a YAML file naming the columns (docs/replay.md).")
    ] = "assay",
    out: Annotated[Path, typer.Option(help="Verdicts, as Parquet (.parquet) or CSV (.csv).")] = Path(
        "verdicts.parquet"
    ),
    limit: Annotated[int | None, typer.Option(help="Stop after so many transactions.", min=1)] = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Score a file offline, through the whole pipeline. Example: assay replay day.csv --out verdicts.csv"""
    from local.replay.run import run

    with clear_errors():
        raise typer.Exit(run(file, mapping, out, limit, Places(data_dir, models), as_json))


@app.command("replay-decision")
def replay_decision(
    transaction: Annotated[str, typer.Argument(help="The transaction's id.")],
    client: Client = None,
    data_dir: DataDir = Path("var"),
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Decide again from the audit log, with the release of then. Example: assay replay-decision sample-risky-1"""
    from local.audit.redecide import run

    with clear_errors():
        raise typer.Exit(run(Places(data_dir, models), transaction, client, as_json))
