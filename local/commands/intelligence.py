"""The commands about drift and patterns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from local.commands.options import AsJson, DataDir, ModelsDir, clear_errors
from local.places import MODELS, Places

if TYPE_CHECKING:
    from pydantic import BaseModel

app = typer.Typer()
Archive = Annotated[
    str | None, typer.Option(help="An archive of scored events (folder or s3://bucket) instead of the data folder.")
]
Until = Annotated[datetime | None, typer.Option(help="Look at this moment (UTC); at the newest event's if not given.")]
Labels = Annotated[
    Path | None,
    typer.Option(help="Labels (CSV or Parquet: client_id, transaction_id, label, labelled_at); an archive has none."),
]
Record = Annotated[
    bool, typer.Option("--record", help="Keep the report and announce what is new, as the server does by itself.")
]


@app.command()
def drift(
    data_dir: DataDir = Path("var"),
    archive: Archive = None,
    until: Until = None,
    labels: Labels = None,
    record: Record = False,
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Compare what was scored lately with training and with the weeks before. Example: assay drift --data-dir var"""
    from assay.intelligence.drift_report import DriftReport
    from assay.intelligence.reports import DRIFT
    from local import looks
    from local.champion import open_champion
    from local.drift import show

    _only_one(record, archive, until, labels)
    with clear_errors():
        places = Places(data_dir, models)
        release = open_champion(places)
        if record:
            body = looks.record(places, release, DRIFT)
            report = None if body is None else DriftReport.model_validate_json(body)
        else:
            source = archive or places
            report = looks.drift(source, release, _utc(until), looks.labels_of(source, labels))
        if not _printed(report, as_json) and report is not None:
            show(report)


@app.command()
def patterns(
    data_dir: DataDir = Path("var"),
    archive: Archive = None,
    until: Until = None,
    labels: Labels = None,
    record: Record = False,
    models: ModelsDir = MODELS,
    as_json: AsJson = False,
) -> None:
    """Linked accounts, rules that fire together, segments where fraud concentrates. Example: assay patterns"""
    from assay.intelligence.patterns_report import PatternReport
    from assay.intelligence.reports import PATTERNS
    from local import looks
    from local.champion import open_champion
    from local.patterns import show

    _only_one(record, archive, until, labels)
    with clear_errors():
        places = Places(data_dir, models)
        if record:
            body = looks.record(places, open_champion(places), PATTERNS)
            report = None if body is None else PatternReport.model_validate_json(body)
        else:
            source = archive or places
            report = looks.patterns(source, _utc(until), looks.labels_of(source, labels))
        if not _printed(report, as_json) and report is not None:
            show(report)


def _only_one(record: bool, *others: object) -> None:
    if record and any(others):
        raise typer.BadParameter("goes with the data folder alone", param_hint="--record")


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _printed(report: BaseModel | None, as_json: bool) -> bool:
    """Whether that was all: for a program, or without any event."""
    if as_json:
        typer.echo("null" if report is None else report.model_dump_json())
    elif report is None:
        typer.echo("nothing has been scored yet")
    return as_json or report is None
