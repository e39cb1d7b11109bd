"""Moves of the release registry become events of this installation, each once, whoever sees it first."""

from __future__ import annotations

from collections.abc import Iterable

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.release.pointer import Move
from assay.release.telling import event_of

ANNOUNCE = "INSERT INTO outbox (body, kind) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM release_moves WHERE id = ?)"
ANNOUNCED = "INSERT OR IGNORE INTO release_moves VALUES (?)"


async def announce(ledger: SqliteLedger, moves: Iterable[Move]) -> None:
    """Commits the events of those moves that were not announced yet. Raises `StorageError`.

    The pointer is a file and the events are in the database, so they cannot change together. The pointer is first: the
    command that moved it announces it, and if that ended in between, the next command or the server that follows does.
    """
    unit: list[tuple[str, tuple[object, ...]]] = []
    for move in moves:
        unit += [(ANNOUNCE, (event_of(move).to_json(), move.event, move.id)), (ANNOUNCED, (move.id,))]
    if unit:
        await ledger.commits.commit(unit)
