"""The audit log's anchor in the embedded installation's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.schema import open_reader
from assay.audit.chain import Entry, Head
from assay.errors import StorageError
from assay.ports import AuditAnchor

SELECT = "SELECT sequence, hash, intended_sequence, intended_hash FROM audit_anchor"
INTEND = "UPDATE audit_anchor SET intended_sequence = ?, intended_hash = ?"
ADVANCE = "UPDATE audit_anchor SET sequence = ?, hash = ?, intended_sequence = NULL, intended_hash = NULL"
INSERT = "INSERT INTO audit_records VALUES (?, ?, ?, ?)"
KNOWN = "SELECT 1 FROM audit_records WHERE kind = ? AND client_id = ? AND id = ?"
FIND = "SELECT client_id, sequence FROM audit_records WHERE kind = ? AND id = ? ORDER BY sequence"


class SqliteAuditAnchorStore:
    """One row for the end of the log, one per record for what it holds."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def read(self) -> AuditAnchor:
        """The anchor as it is."""
        return _anchor(self._ledger.reader)

    async def intend(self, head: Head) -> None:
        """Durable when it returns."""
        await self._ledger.commits.commit([(INTEND, (head.sequence, head.hash))])

    async def advance(self, head: Head, entries: Sequence[Entry]) -> None:
        """Anchors the head and notes the entries, which are the last ones up to it."""
        first = head.sequence - len(entries) + 1
        unit: list[tuple[str, tuple[object, ...]]] = [(ADVANCE, (head.sequence, head.hash))]
        unit += [(INSERT, (*entry.identity, sequence)) for sequence, entry in enumerate(entries, first)]
        await self._ledger.commits.commit(unit)

    async def recorded(self, entries: Sequence[Entry]) -> set[tuple[str, str, str]]:
        """Identities of those entries that are in the log already."""
        try:
            ask = self._ledger.reader.execute
            return {entry.identity for entry in entries if ask(KNOWN, entry.identity).fetchone() is not None}
        except sqlite3.Error as error:
            raise StorageError(f"audit anchor: {error}") from error


def read_anchor(path: Path) -> AuditAnchor:
    """The anchor in a database that a server may be using. Raises `StorageError`."""
    with closing(open_reader(path)) as connection:
        return _anchor(connection)


def find_records(path: Path, kind: str, id: str) -> list[tuple[str, int]]:  # noqa: A002 - its name everywhere else
    """Client and sequence number of every record of this kind and id. Raises `StorageError`."""
    try:
        with closing(open_reader(path)) as connection:
            return connection.execute(FIND, (kind, id)).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"{path.name}: {error}") from error


def _anchor(connection: sqlite3.Connection) -> AuditAnchor:
    try:
        sequence, hash_, intended_sequence, intended_hash = connection.execute(SELECT).fetchone()
    except (sqlite3.Error, TypeError) as error:  # TypeError: there is no row
        raise StorageError(f"audit anchor: cannot be read: {error}") from error
    intended = None if intended_hash is None else Head(intended_sequence, intended_hash)
    return AuditAnchor(Head(sequence, hash_), intended)
