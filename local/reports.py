"""Reports of drift and patterns: how the commands keep them and announce what is new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from assay.adapters.sqlite.intelligence import SqliteReportStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.errors import StorageError
from assay.intelligence.reports import StoredReport
from assay.schemas.event import Event
from local.ledger import with_ledger

Make = Callable[[bytes | None], tuple[StoredReport, list[Event]] | None]
"""Of the report before, the next one and what is to be announced; None: there is nothing new to look at."""


def record(database: Path, kind: str, make: Make) -> bytes | None:
    """Keeps the next report in the embedded installation, beside a running server or without one, with its events.

    Its body; that of the one before when there is nothing new. Raises `StorageError`, also when somebody else has kept
    one meanwhile.
    """

    async def work(ledger: SqliteLedger) -> bytes | None:
        store = SqliteReportStore(ledger)
        before = await store.newest(kind)
        made = await asyncio.to_thread(make, None if before is None else before.body)
        if made is None:
            return None if before is None else before.body
        report, events = made
        if not await store.replace(kind, before, report, events):
            raise StorageError(f"{kind}: another report was kept meanwhile")
        return report.body

    return with_ledger(database, work)
