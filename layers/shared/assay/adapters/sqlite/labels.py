"""Labels in the embedded installation's file. The writer is one, so a batch looks and writes in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.errors import StorageError
from assay.labels.decided import Counted, subject_of
from assay.labels.ports import Position
from assay.labels.records import Labelling, Outcome, Sent, Subject, Taken, event_of, take

GET = "SELECT record FROM labels WHERE client_id = ? AND transaction_id = ?"
PUT = "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
USED = "SELECT count FROM label_counts WHERE sender = ? AND day = ?"
USE = "INSERT INTO label_counts VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1"
WAITING = (
    "SELECT record FROM labels WHERE waiting_since IS NOT NULL AND (?4 IS NULL OR client_id = ?4)"
    " AND (waiting_since, client_id, transaction_id) > (?1, ?2, ?3)"
    " ORDER BY waiting_since, client_id, transaction_id LIMIT ?5"
)
IN_EFFECT = (
    "SELECT record FROM labels WHERE label IS NOT NULL AND (decided_at, client_id, transaction_id) > (?, ?, ?)"
    " ORDER BY decided_at, client_id, transaction_id LIMIT ?"
)
SUBJECT = (
    "SELECT d.decided_at, d.verdict, a.time, a.amount, a.account, a.device, a.counterparty FROM decisions d"
    " LEFT JOIN activity a ON a.id = d.id WHERE d.client_id = ? AND d.transaction_id = ?"
)
_LABELLING = TypeAdapter(Labelling)


class SqliteSubjects:
    """The transactions that this installation has decided."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def find(self, client_id: str, transaction_id: str) -> Subject | None:
        """The client's transaction, if there is one."""
        rows = _rows(self._ledger.reader, SUBJECT, client_id, transaction_id)
        if not rows:
            return None
        decided_at, verdict, *counted = rows[0]
        return subject_of(client_id, transaction_id, decided_at, verdict, Counted(*counted))


class SqliteLabelStore:
    """Labellings by client and transaction."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def get(self, client_id: str, transaction_id: str) -> Labelling | None:
        """What was said of the transaction; None: nothing."""
        found = _labellings(self._ledger.reader, GET, client_id, transaction_id)
        return found[0] if found else None

    async def take(self, sent: Sequence[Sent]) -> list[Taken]:
        """Takes all of them in one transaction, or none."""
        return await self._ledger.commits.run(lambda connection: [_take(connection, one) for one in sent])

    async def waiting(self, after: Position | None, limit: int, client_id: str | None) -> list[Labelling]:
        """Those with an opinion that waits for a second person, longest first."""
        start = after or Position(0, "", "")
        return _labellings(
            self._ledger.reader, WAITING, start.at, start.client_id, start.transaction_id, client_id, limit
        )

    async def in_effect(self, since: int, after: Position | None, limit: int) -> list[Labelling]:
        """Those with a label, decided at `since` or later, by the time of the decision."""
        start = after or Position(since, "", "")
        return _labellings(self._ledger.reader, IN_EFFECT, start.at, start.client_id, start.transaction_id, limit)


def _take(connection: sqlite3.Connection, sent: Sent) -> Taken:
    subject, sender = sent.subject, sent.opinion.by
    found = _labellings(connection, GET, subject.client_id, subject.transaction_id)
    before = found[0] if found else Labelling(subject)
    used = connection.execute(USED, (sender, sent.day)).fetchone()
    taken = take(before, sent, used[0] if used else 0)
    if taken.labelling is before:
        return taken
    connection.execute(PUT, _row(taken.labelling))
    if taken.outcome is Outcome.RECORDED:
        connection.execute(USE, (sender, sent.day))
    event = event_of(taken, sent, before.current)
    connection.execute(INSERT_EVENT, (event.to_json(), event.event))
    return taken


def _row(labelling: Labelling) -> tuple[Any, ...]:
    subject, current = labelling.subject, labelling.current
    in_effect = (None,) * 3 if current is None else (current.label, current.labelled_at, current.counts_since)
    record = _LABELLING.dump_json(labelling).decode()
    key = (subject.client_id, subject.transaction_id, labelling.version, subject.decided_at)
    return *key, *in_effect, labelling.waiting_since, record, None if current is None else current.by


def _labellings(connection: sqlite3.Connection, query: str, *values: object) -> list[Labelling]:
    return [_LABELLING.validate_json(record) for (record,) in _rows(connection, query, *values)]


def _rows(connection: sqlite3.Connection, query: str, *values: object) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"labels: {error}") from error
