"""The audit log's anchor in the embedded installation's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from assay.adapters.sqlite.group_commit import Work
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.schema import open_reader
from assay.audit.chain import Batch, Entry, Head, span
from assay.errors import AnchorMoved, StorageError
from assay.ports import AuditAnchor, AuditPlace

SELECT = (
    "SELECT sequence, hash, (SELECT key FROM audit_objects WHERE last = sequence),"
    " intended_sequence, intended_hash, intended_key, intended_body FROM audit_anchor"
)
INTEND = (
    "UPDATE audit_anchor SET intended_sequence = ?, intended_hash = ?, intended_key = ?, intended_body = ?"
    " WHERE sequence = ? AND hash = ? AND intended_body IS NULL"
)
ADVANCE = (
    "UPDATE audit_anchor SET sequence = intended_sequence, hash = intended_hash, intended_sequence = NULL,"
    " intended_hash = NULL, intended_key = NULL, intended_body = NULL WHERE intended_hash = ?"
)
INSERT_OBJECT = "INSERT INTO audit_objects VALUES (?, ?)"
INSERT = "INSERT INTO audit_records VALUES (?, ?, ?, ?)"
KNOWN = "SELECT 1 FROM audit_records WHERE kind = ? AND client_id = ? AND id = ?"
_PLACE = "sequence, (SELECT key FROM audit_objects WHERE last >= sequence ORDER BY last LIMIT 1) FROM audit_records"
FIND = f"SELECT {_PLACE} WHERE kind = ? AND client_id = ? AND id = ?"
FIND_ALL = f"SELECT kind, client_id, {_PLACE} WHERE id = ? ORDER BY sequence"


class SqliteAuditAnchorStore:
    """One row for the end of the log, one per record for what it holds, one per object for where it is."""

    max_entries = 1_000
    max_body = 64 << 20

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def read(self) -> AuditAnchor:
        """The anchor as it is."""
        return _anchor(self._ledger.reader)

    async def intend(self, before: Head, batch: Batch) -> None:
        """Announces the object. An intent without bytes is of an earlier version, and nobody can write it any more."""
        values = (batch.head.sequence, batch.head.hash, batch.key, batch.body, before.sequence, before.hash)
        await self._run(lambda connection: connection.execute(INTEND, values).rowcount == 1)

    async def advance(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """Anchors the head and notes the entries, which are the last ones up to it."""
        first = batch.head.sequence - len(entries) + 1
        rows = [(*entry.identity, sequence) for sequence, entry in enumerate(entries, first)]

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute(ADVANCE, (batch.head.hash,)).rowcount != 1:
                return False
            connection.execute(INSERT_OBJECT, (batch.head.sequence, batch.key))
            connection.executemany(INSERT, rows)
            return True

        await self._run(work)

    async def recorded(self, entries: Sequence[Entry]) -> set[tuple[str, str, str]]:
        """Identities of those entries that are in the log already."""
        try:
            ask = self._ledger.reader.execute
            return {entry.identity for entry in entries if ask(KNOWN, entry.identity).fetchone() is not None}
        except sqlite3.Error as error:
            raise StorageError(f"audit anchor: {error}") from error

    async def find(self, kind: str, client_id: str, id: str) -> AuditPlace | None:  # noqa: A002
        """Where the record of this identity is, if there is one."""
        try:
            row = self._ledger.reader.execute(FIND, (kind, client_id, id)).fetchone()
        except sqlite3.Error as error:
            raise StorageError(f"audit anchor: {error}") from error
        return None if row is None else _place(*row)

    async def _run(self, work: Work[bool]) -> None:
        if not await self._ledger.commits.run(work):
            raise AnchorMoved("audit anchor: another writer came first")


def read_anchor(path: Path) -> AuditAnchor:
    """The anchor in a database that a server may be using. Raises `StorageError`."""
    with closing(open_reader(path)) as connection:
        return _anchor(connection)


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """What the anchor knows of a record."""

    kind: str
    client_id: str
    place: AuditPlace


def find_records(path: Path, id: str) -> list[FoundRecord]:  # noqa: A002
    """Every record with this id, of whatever kind and client. Raises `StorageError`."""
    try:
        with closing(open_reader(path)) as connection:
            rows = connection.execute(FIND_ALL, (id,)).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"{path.name}: {error}") from error
    return [FoundRecord(kind, client_id, _place(sequence, key)) for kind, client_id, sequence, key in rows]


def _anchor(connection: sqlite3.Connection) -> AuditAnchor:
    try:
        sequence, hash_, key, *intended = connection.execute(SELECT).fetchone()
    except (sqlite3.Error, TypeError) as error:  # TypeError: there is no row
        raise StorageError(f"audit anchor: cannot be read: {error}") from error
    return AuditAnchor(Head(sequence, hash_), key or "", _intended(*intended))


def _intended(sequence: int | None, hash_: str | None, key: str | None, body: bytes | None) -> Batch | None:
    return None if sequence is None or hash_ is None else Batch(key or "", body or b"", Head(sequence, hash_))


def _place(sequence: int, key: str | None) -> AuditPlace:
    """An object from before keys were noted has none; the next one that has does not hold its records."""
    reach = span(key) if key else None
    return AuditPlace(sequence, key if key and reach and reach[0] <= sequence else "")
