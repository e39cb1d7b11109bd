"""What came of a retraining: kept, announced, shown."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field
from rich.console import Console
from rich.table import Table

from assay.adapters.sqlite.intelligence import SqliteReportStore
from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.errors import StorageError
from assay.intelligence.reports import RETRAINING, StoredReport
from assay.moments import microseconds
from assay.release.files import replace
from assay.schemas.base import Contract
from assay.schemas.event import SYSTEM, Event, Fact
from local.embedded import Places
from local.reports import record
from training.retraining.gate import GateResult, SetResult
from training.retraining.shadow import Comparison

GATED = "release.gated"
"""The event when a challenger has been through the gate."""
SHOWN_REASONS = 10
"""In the event; the report has all."""


class Retraining(Contract):
    """One run of `assay retrain`."""

    at: datetime
    outcome: Literal["not_needed", "not_possible", "challenger", "promoted", "rolled_back"]
    reasons: list[str] = Field(description="Of the outcome.")
    champion: str = Field(description="The release that decided when it began.")
    triggers: list[str] = Field(default=[], description="Why it was trained.")
    version: str | None = Field(default=None, description="The release that was made.")
    golden_sha256: str | None = None
    gate: GateResult | None = None
    shadow: Comparison | None = Field(default=None, description="The challenger on what the champion decided lately.")


def last(places: Places) -> Retraining | None:
    """The retraining that was kept last. Raises `StorageError`."""
    body = stored(places, RETRAINING)
    return None if body is None else Retraining.model_validate_json(body)


def stored(places: Places, kind: str) -> bytes | None:
    """The newest report of a kind. Raises `StorageError`."""

    async def read() -> StoredReport | None:
        ledger = SqliteLedger(places.database)
        try:
            return await SqliteReportStore(ledger).newest(kind)
        finally:
            await ledger.close()

    if not places.database.is_file():
        raise StorageError(f"{places.database}: there is no database")
    found = asyncio.run(read())
    return None if found is None else found.body


def keep(places: Places, report: Retraining) -> None:
    """Beside the challenger as JSON, and in the database together with its event. Raises `StorageError`, OSError."""
    if report.version is not None:
        file = gate_file(places, report.version)
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, (report.model_dump_json(indent=1) + "\n").encode())
    kept = StoredReport(microseconds(report.at), report.model_dump_json().encode())
    record(places.database, RETRAINING, lambda _: (kept, _events(report)))


def announce(places: Places, event: Event) -> None:
    """Into the outbox, beside a running server or without one. Raises `StorageError`."""

    async def work() -> None:
        ledger = SqliteLedger(places.database)
        try:
            await ledger.commits.commit([(INSERT_EVENT, (event.to_json(), event.event))])
        finally:
            await ledger.close()

    asyncio.run(work())


def gate_file(places: Places, version: str) -> Path:
    """Beside the registry: a release's own folder is signed, and nothing can be added to it."""
    return places.models / "reports" / f"{version}.gate.json"


def _events(report: Retraining) -> list[Event]:
    if report.gate is None or report.version is None:
        return []
    facts: dict[str, Fact] = {
        "version": report.version,
        "champion": report.champion,
        "passed": report.gate.passed,
        "reasons": report.gate.reasons[:SHOWN_REASONS],
        "triggers": report.triggers,
        "golden_sha256": report.golden_sha256,
    }
    for each in report.gate.sets:
        for side, figures in (("champion", each.champion), ("challenger", each.challenger)):
            facts[f"{each.name}.{side}.cost_per_1000"] = figures.cost_per_1000
            facts[f"{each.name}.{side}.recall"] = figures.recall
    return [Event.now(GATED, SYSTEM, **facts)]


def show(report: Retraining) -> None:
    """For people."""
    console = Console()
    if report.gate is not None:
        for each in report.gate.sets:
            console.print(_set_table(each, report))
    if report.shadow is not None:
        show_shadow(report.shadow)
    made = f" {report.version}" if report.version else ""
    console.print(f"{report.outcome.replace('_', ' ')}{made} (champion was {report.champion})")
    for reason in report.reasons:
        console.print(f"  {reason}", markup=False)


def _set_table(each: SetResult, report: Retraining) -> Table:
    title = f"Gate: {each.name}, {each.rows:,} transactions, {each.frauds} frauds"
    table = Table("", report.champion, report.version or "", "", title=title)
    first, second = each.champion, each.challenger
    bounds = f"{each.cost_difference:+,.0f} ({each.cost_low:+,.0f} to {each.cost_high:+,.0f})"
    table.add_row("cost per 1,000", f"{first.cost_per_1000:,.0f}", f"{second.cost_per_1000:,.0f}", bounds)
    table.add_row("declined", f"{first.decline_rate:.2%}", f"{second.decline_rate:.2%}", "")
    table.add_row("challenged", f"{first.challenge_rate:.2%}", f"{second.challenge_rate:.2%}", "")
    for part in each.recall:
        told = f"of {part.frauds}" + (f", [red]worse[/red], chance {part.chance:.2g}" if part.is_worse else "")
        table.add_row(f"recall, {part.segment}", f"{part.champion:.1%}", f"{part.challenger:.1%}", told)
    return table


def show_shadow(found: Comparison) -> None:
    """As a table."""
    table = Table(
        "", found.served, found.shadow, title=f"Shadow: {found.events:,} transactions that {found.served} decided"
    )
    for name, pair in (("declined", found.decline_rate), ("challenged", found.challenge_rate)):
        table.add_row(name, *(f"{share:.2%}" for share in pair))
    if found.cost_per_1000 is not None:
        table.add_row(
            f"cost per 1,000 of {found.labelled:,} labelled", *(f"{cost:,.0f}" for cost in found.cost_per_1000)
        )
    for each in found.differing:
        told = f"{each.transactions:,}: {each.fraud} fraud, {each.legitimate} legitimate, the rest unknown"
        table.add_row(told, each.served, each.shadow)
    console = Console()
    console.print(table)
    console.print(
        f"agreement {found.agreement:.2%}, score {found.score_shift:+.4f} on average, {found.score_distance:.4f} apart"
    )
