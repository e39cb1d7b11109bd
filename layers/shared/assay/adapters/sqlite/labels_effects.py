"""What follows from labels in the embedded installation's file, and in memory: every score asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from assay import moments
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.labels.ports import Effect, Standing, TokenKind

DELETE = "DELETE FROM label_effects WHERE client_id = ? AND transaction_id = ?"
INSERT = "INSERT INTO label_effects VALUES (?, ?, ?, ?, ?, ?)"
HAD = "SELECT kind, token_kind, token FROM label_effects WHERE client_id = ? AND transaction_id = ?"
UNTIL = "SELECT max(until) FROM label_effects WHERE kind = ? AND token_kind = ? AND token = ?"
ALL = "SELECT kind, token_kind, token, max(until) FROM label_effects WHERE until > ? GROUP BY 1, 2, 3"
Key = tuple[str, str, str]
"""Kind of effect, kind of token, token."""


class SqliteEffectStore:
    """Only this process changes effects: they follow from events, which it alone consumes."""

    def __init__(self, ledger: SqliteLedger, now: Callable[[], int] = moments.now) -> None:
        """`now`: in microseconds."""
        self._ledger = ledger
        self._now = now
        rows = ledger.reader.execute(ALL, (now(),)).fetchall()
        self._until: dict[Key, int] = {(kind, token_kind, token): until for kind, token_kind, token, until in rows}

    async def replace(self, client_id: str, transaction_id: str, effects: Sequence[Effect]) -> None:
        """These take the place of the effects that the transaction had."""
        own = (client_id, transaction_id)

        def work(connection: sqlite3.Connection) -> dict[Key, int | None]:
            touched = set(connection.execute(HAD, own).fetchall())
            connection.execute(DELETE, own)
            for effect in effects:
                key = (effect.kind, effect.token_kind, effect.token)
                connection.execute(INSERT, (*own, *key, effect.until))
                touched.add(key)
            return {key: connection.execute(UNTIL, key).fetchone()[0] for key in touched}

        for key, until in (await self._ledger.commits.run(work)).items():
            if until is None:
                self._until.pop(key, None)
            else:
                self._until[key] = until

    async def standing(self, tokens: dict[TokenKind, str]) -> Standing:
        """From memory: read when the file was opened, kept up with every commit."""
        is_denied = any(self._holds("deny", kind, token) for kind, token in tokens.items())
        account = tokens.get("account")
        return Standing(is_denied, account is not None and self._holds("trust", "account", account))

    def _holds(self, kind: str, token_kind: str, token: str) -> bool:
        key = (kind, token_kind, token)
        until = self._until.get(key)
        if until is None:
            return False
        if until <= self._now():
            del self._until[key]
            return False
        return True
