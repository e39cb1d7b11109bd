"""`assay drift`: a look at what was scored lately."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.table import Table

from assay.intelligence.drift_report import DriftReport, Level, Measurement
from assay.intelligence.reports import DRIFT, StoredReport
from assay.moments import microseconds
from assay.release import Release
from assay.schemas.event import Event
from functions.intelligence.drift_cells import step_end
from functions.intelligence.drift_check import DriftCheck, crossing, policy_of
from local.history import Source, newest, scored_frames
from local.labels import labels_table
from local.reports import record

if TYPE_CHECKING:
    from local.embedded import Places

SHOWN = 40
COLOURS = {Level.ALARM: "red", Level.WARNING: "yellow", Level.OK: "green"}


def look(
    source: Source, release: Release, until: datetime | None = None, previous: DriftReport | None = None
) -> DriftReport | None:
    """The report for the last step before `until` (the newest event, when not given); None when nothing was scored.

    Labels are those of the embedded installation; an archive of events has none. Raises `StorageError`,
    `ReleaseError`, `PolicyError`.
    """
    end = until or newest(source)
    if end is None:
        return None
    at = step_end(end, policy_of(release))
    if previous is not None and previous.at == at and previous.release == release.version:
        return previous
    labels = None if isinstance(source, str) else _labels(source.database)
    check = DriftCheck(release, at, labels)
    for frame in scored_frames(source, check.since, at, check.columns):
        check.add(frame)
    return check.report(previous)


def look_and_record(places: Places, release: Release) -> DriftReport | None:
    """Looks as the server does: keeps the report and announces what has come into alarm since the one before."""

    def make(before: bytes | None) -> tuple[StoredReport, list[Event]] | None:
        previous = None if before is None else DriftReport.model_validate_json(before)
        report = look(places, release, previous=previous)
        if report is None or report is previous:
            return None
        event = crossing(previous, report)
        stored = StoredReport(microseconds(report.at), report.model_dump_json().encode())
        return stored, [] if event is None else [event]

    body = record(places.database, DRIFT, make)
    return None if body is None else DriftReport.model_validate_json(body)


def show(report: DriftReport) -> None:
    """As a table, gravest first."""
    console = Console()
    grave = [one for one in report.measurements if one.level is not Level.OK]
    shown = grave[:SHOWN] or report.measurements[:10]
    columns = ("level", "what", "measure", "value", "before", "now", "window", "against", "segment", "events")
    table = Table(*columns, title=f"Drift at {report.at:%Y-%m-%d %H:%M} UTC, release {report.release}")
    for one in shown:
        table.add_row(*_cells(one))
    console.print(table)
    kept = len(grave) - len(grave[:SHOWN])
    console.print(
        f"{report.events:,} events, level [{COLOURS[report.level]}]{report.level}[/]"
        + (f", drifted: {', '.join(report.drifted)}" if report.drifted else "")
        + (f"; {kept} more warnings in --json" if kept else "")
        + f"; {report.too_few} comparisons had too few events"
    )


def _cells(one: Measurement) -> list[str]:
    shares = ["" if share is None else f"{share:.2%}" for share in (one.before, one.now)]
    level = f"[{COLOURS[one.level]}]{one.level}[/]"
    found = [level, one.name, one.measure, f"{one.value:.3f}", *shares, one.window, one.against, one.segment]
    return [*found, f"{one.count:,}"]


def _labels(database: Path) -> pl.DataFrame | None:
    labels = labels_table(database)
    return None if labels.is_empty() else labels
