"""The command about patterns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from local.commands.drift import Archive, Record
from local.commands.options import AsJson, DataDir, ModelsDir, clear_errors
from local.embedded import MODELS, Places

app = typer.Typer()


@app.command()
def patterns(
    data_dir: DataDir = Path("var"),
    archive: Archive = None,
    until: Annotated[
        datetime | None, typer.Option(help="Where the window ends (UTC); the newest event's moment if not given.")
    ] = None,
    record: Record = False,
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Linked accounts, rules that fire together, segments where fraud concentrates. Example: assay patterns"""
    from local.patterns import look, look_and_record, show

    if record and (archive or until):
        raise typer.BadParameter("goes with the data folder alone", param_hint="--record")
    with clear_errors():
        places = Places(data_dir, models)
        if record:
            report = look_and_record(places)
        else:
            report = look(archive or places, None if until is None else until.replace(tzinfo=UTC))
        if as_json:
            typer.echo("null" if report is None else report.model_dump_json())
        elif report is None:
            typer.echo("nothing has been scored yet")
        else:
            show(report)
