"""The command about drift."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, clear_errors
from local.embedded import MODELS, Places, open_champion

app = typer.Typer()
Archive = Annotated[
    str | None, typer.Option(help="An archive of scored events (folder or s3://bucket) instead of the data folder.")
]
Record = Annotated[
    bool, typer.Option("--record", help="Keep the report and announce what is new, as the server does by itself.")
]


@app.command()
def drift(
    data_dir: DataDir = Path("var"),
    archive: Archive = None,
    until: Annotated[
        datetime | None, typer.Option(help="Look at this moment (UTC); the newest event's if not given.")
    ] = None,
    record: Record = False,
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Compare what was scored lately with training and with the weeks before. Example: assay drift --data-dir var"""
    from local.drift import look, look_and_record, show

    if record and (archive or until):
        raise typer.BadParameter("goes with the data folder alone", param_hint="--record")
    with clear_errors():
        places = Places(data_dir, models)
        release = open_champion(places)
        if record:
            report = look_and_record(places, release)
        else:
            report = look(archive or places, release, None if until is None else until.replace(tzinfo=UTC))
        if as_json:
            typer.echo("null" if report is None else report.model_dump_json())
        elif report is None:
            typer.echo("nothing has been scored yet")
        else:
            show(report)
