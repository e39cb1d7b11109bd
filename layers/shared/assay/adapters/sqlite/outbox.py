"""The transactional outbox: events wait in the file that holds their decisions."""

from __future__ import annotations

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.moments import now
from assay.ports import OutboxEvent

REGISTER = "INSERT OR IGNORE INTO consumers VALUES (?, 0)"
ADVANCE = "UPDATE consumers SET sequence = ? WHERE name = ?"
PURGE = "DELETE FROM outbox WHERE sequence <= (SELECT min(sequence) FROM consumers)"
BURY = "INSERT OR IGNORE INTO dead_letters VALUES (?, ?, ?, ?, ?)"
PURGE_EVERY = 1_000


class SqliteOutbox:
    """Events in commit order; each registered consumer has its own place in them."""

    def __init__(self, ledger: SqliteLedger, consumers: list[str]) -> None:
        self._ledger = ledger
        self._places: dict[str, int] = {}
        self._names = consumers
        self._purged = 0

    async def open(self) -> None:
        """Registers the consumers, so that no event is purged before each of them had it."""
        await self._ledger.commits.commit([(REGISTER, (name,)) for name in self._names])
        rows = self._ledger.reader.execute("SELECT name, sequence FROM consumers").fetchall()
        self._places = dict(rows)

    async def pending(self, consumer: str, limit: int, kinds: frozenset[str] | None = None) -> list[OutboxEvent]:
        """The oldest events the consumer has not had; those of other kinds than these come without their bodies."""
        body, wanted = "body", tuple(kinds or ())
        if kinds is not None:  # most events are of a kind that most consumers pass over: bodies are most of the reading
            body = f"CASE WHEN kind IN ({', '.join('?' * len(wanted))}) THEN body ELSE x'' END"
        query = f"SELECT sequence, {body}, kind FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608
        rows = self._ledger.reader.execute(query, (*wanted, self._places[consumer], limit)).fetchall()
        return [OutboxEvent(*row) for row in rows]

    async def advance(self, consumer: str, sequence: int) -> None:
        """Everything up to `sequence` is done for the consumer; what all have had is deleted now and then."""
        unit: list[tuple[str, tuple[object, ...]]] = [(ADVANCE, (sequence, consumer))]
        had_by_all = min({**self._places, consumer: sequence}.values())
        if had_by_all - self._purged >= PURGE_EVERY:
            unit.append((PURGE, ()))
            self._purged = had_by_all
        await self._ledger.commits.commit(unit)
        self._places[consumer] = sequence

    async def bury(self, consumer: str, event: OutboxEvent, reason: str) -> None:
        """Keeps the event in the dead letters."""
        row = (consumer, event.sequence, event.body, reason[:1000], now())
        await self._ledger.commits.commit([(BURY, row)])

    async def depth(self) -> int:
        """How many deliveries are outstanding, over all consumers."""
        query = "SELECT count(*) FROM outbox, consumers WHERE outbox.sequence > consumers.sequence"
        return int(self._ledger.reader.execute(query).fetchone()[0])
