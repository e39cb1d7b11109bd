"""Revoked sessions in the embedded installation's file, and all of them in memory: every request asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.features.windows import SECOND
from assay.identity.signing import LONGEST_LIFE_S
from assay.moments import now

INSERT = "INSERT OR IGNORE INTO revocations VALUES (?, ?)"
FORGET = "DELETE FROM revocations WHERE until < ?"


class SqliteRevocations:
    """Only this process revokes. A session is forgotten once its longest token has expired."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self._sessions = {row[0] for row in ledger.reader.execute("SELECT session FROM revocations").fetchall()}

    async def is_revoked(self, session: str) -> bool:
        """From memory."""
        return session in self._sessions

    def write(self, connection: sqlite3.Connection, sessions: Sequence[str]) -> None:
        """Makes their tokens void with the transaction under way; `committed` is for afterwards."""
        until = now() + LONGEST_LIFE_S * SECOND
        connection.execute(FORGET, (now(),))
        connection.executemany(INSERT, [(session, until) for session in sessions])

    def committed(self, sessions: Sequence[str]) -> None:
        """From now on they are refused."""
        self._sessions.update(sessions)
