"""`assay drift`: a report for people."""

from __future__ import annotations

from rich.table import Column, Table

from assay.intelligence.drift_report import DriftReport, Level, Measurement
from local.console import wide_console

SHOWN = 40
COLOURS = {Level.ALARM: "red", Level.WARNING: "yellow", Level.OK: "green"}


def show(report: DriftReport) -> None:
    """As a table, gravest first."""
    console = wide_console()
    grave = [one for one in report.measurements if one.level is not Level.OK]
    shown = grave[:SHOWN] or report.measurements[:10]
    names = ("level", "what", "measure", "value", "before", "now", "window", "against", "segment", "events")
    columns = (Column(name, overflow="fold") for name in names)
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
