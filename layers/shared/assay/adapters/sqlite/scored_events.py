"""What post-authorisation intelligence keeps, in the embedded installation's file."""

from __future__ import annotations

from collections.abc import Sequence

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.moments import microseconds
from assay.ports import ScoredEvent

INSERT = "INSERT OR IGNORE INTO scored_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteScoredEventStore:
    """One row per scored transaction; a repeated delivery changes nothing."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def record(self, events: Sequence[ScoredEvent]) -> None:
        """Keeps the events durably."""
        await self._ledger.commits.commit([(INSERT, _row(event)) for event in events])

    async def count(self) -> int:
        """How many events are kept."""
        return int(self._ledger.reader.execute("SELECT count(*) FROM scored_events").fetchone()[0])


def _row(event: ScoredEvent) -> tuple[object, ...]:
    return (
        event.client_id,
        event.transaction_id,
        microseconds(event.decided_at),
        event.decision,
        event.release_version,
        event.release_hash,
        event.is_early_exit,
        event.body,
    )
