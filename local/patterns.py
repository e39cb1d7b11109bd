"""`assay patterns`: a report for people."""

from __future__ import annotations

from rich.table import Table

from assay.intelligence.patterns_report import Growth, PatternReport
from local.console import wide_console

SHOWN = 10


def show(report: PatternReport) -> None:
    """As tables, emerging ones first."""
    console = wide_console()
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
