"""`assay patterns`: what was scored in the last two windows, looked through for patterns."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from assay.intelligence.patterns_report import Growth, PatternReport
from assay.intelligence.reports import PATTERNS, StoredReport
from assay.moments import microseconds, moment
from assay.schemas.event import Event
from functions.intelligence import patterns
from local.history import Source, newest, scored_table
from local.labels import labels_table
from local.reports import record

if TYPE_CHECKING:
    from local.embedded import Places

SHOWN = 10
STEP = 6 * 3_600_000_000
"""How often the server looks, in microseconds."""


def look(source: Source, until: datetime | None = None) -> PatternReport | None:
    """The report for the window before `until` (up to the newest event, when not given); None without any event.

    Labels are those of the embedded installation; an archive of events has none. Raises `StorageError`.
    """
    end = until or newest(source)
    if end is None:
        return None
    at = end if until is not None else end + timedelta(microseconds=1)
    since = at - timedelta(days=2 * patterns.WINDOW_DAYS)
    table = scored_table(source, since, at, patterns.COLUMNS)
    return patterns.look(table, at, None if isinstance(source, str) else labels_table(source.database))


def look_and_record(places: Places) -> PatternReport | None:
    """Looks as the server does: once per step, and keeps the report."""

    def make(before: bytes | None) -> tuple[StoredReport, list[Event]] | None:
        last = newest(places)
        if last is None:
            return None
        at = moment(microseconds(last) // STEP * STEP)
        if before is not None and PatternReport.model_validate_json(before).at == at:
            return None
        report = look(places, at)
        if report is None:
            return None
        return StoredReport(microseconds(at), report.model_dump_json().encode()), []

    body = record(places.database, PATTERNS, make)
    return None if body is None else PatternReport.model_validate_json(body)


def show(report: PatternReport) -> None:
    """As tables, emerging ones first."""
    console = Console()
    meaning = "confirmed as fraud" if report.based_on == "labels" else "declined: too few frauds are confirmed yet"
    console.print(
        f"{report.events:,} events in {report.window_days} days to {report.at:%Y-%m-%d %H:%M} UTC,"
        f" {report.bad:,} of them bad ({meaning})"
    )
    for table in (_clusters(report), _rule_pairs(report), _segments(report)):
        console.print(table)


def _clusters(report: PatternReport) -> Table:
    table = Table("accounts", "bad", "by chance", "events", "linked by", title=_title(report, "clusters", "Clusters"))
    for one in report.clusters[:SHOWN]:
        links = ", ".join([*one.devices[:2], *one.addresses[:2], *one.counterparties[:2]])
        found = (str(one.account_count), str(one.bad_accounts), f"{one.expected_bad_accounts:.2f}", _grown(one.events))
        table.add_row(*found, links)
    return table


def _rule_pairs(report: PatternReport) -> Table:
    table = Table("rules", "together", "lift", "bad", title=_title(report, "rule_pairs", "Rules that fire together"))
    for one in report.rule_pairs[:SHOWN]:
        table.add_row(" + ".join(one.rules), _grown(one.both), f"{one.lift:.1f}", f"{one.bad_share:.0%}")
    return table


def _segments(report: PatternReport) -> Table:
    columns = ("where", "events", "bad", "share", "95 %", "lift")
    table = Table(*columns, title=_title(report, "segments", "Segments where bad ones concentrate"))
    for one in report.segments[:SHOWN]:
        where = ", ".join(f"{name}={value}" for name, value in one.where.items())
        interval = f"{one.low:.1%} - {one.high:.1%}"
        table.add_row(where, f"{one.events:,}", _grown(one.bad), f"{one.share:.1%}", interval, f"{one.lift:.1f}")
    return table


def _title(report: PatternReport, kind: str, name: str) -> str:
    found = len(getattr(report, kind))
    shown = f", {SHOWN} shown" if found > SHOWN else ""
    return f"{name}: {found} of {report.looked_at[kind]:,} looked at{shown}"


def _grown(growth: Growth) -> str:
    return f"{growth.now} (before {growth.before})"
