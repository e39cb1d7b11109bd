"""Accounts in the embedded installation's file, and the frozen ones in memory: every score asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from pydantic import TypeAdapter

from assay import moments
from assay.accounts.ports import Action, Change
from assay.accounts.records import Account
from assay.adapters.sqlite.card_orders import add_orders
from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.errors import StorageError

INSERT = "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, ?)"
UPDATE = "UPDATE accounts SET version = ?, record = ?, denied_until = ? WHERE id = ? AND version = ?"
RECORD = "INSERT OR IGNORE INTO actions VALUES (?, ?, ?, ?)"
FORGET = "DELETE FROM actions WHERE at < ? AND rowid < (SELECT min(rowid) FROM actions) + ?"
"""The rows of a table that only grows are in the order of their time, near enough."""
_ACCOUNT = TypeAdapter(Account)


class SqliteAccountStore:
    """Only this process changes accounts: the data folder is locked. Also the pipeline's deny list."""

    def __init__(self, ledger: SqliteLedger, now: Callable[[], int] = moments.now) -> None:
        """`now`: in microseconds."""
        self._ledger = ledger
        self._now = now
        rows = ledger.reader.execute("SELECT id, denied_until FROM accounts WHERE denied_until > ?", (now(),))
        self._denied: dict[str, int] = dict(rows.fetchall())

    async def get(self, account_id: str) -> Account:
        """The account; of version 0 when nothing is kept about it."""
        try:
            row = self._ledger.reader.execute("SELECT record FROM accounts WHERE id = ?", (account_id,)).fetchone()
        except sqlite3.Error as error:
            raise StorageError(f"accounts: {error}") from error
        return Account(account_id) if row is None else _ACCOUNT.validate_json(row[0])

    async def change(self, change: Change) -> bool:
        """Commits all of it, or nothing. False when the account was changed meanwhile."""

        def work(connection: sqlite3.Connection) -> bool:
            if not _put(connection, change.account):
                return False
            add_orders(connection, change.orders)
            if change.event is not None:
                connection.execute(INSERT_EVENT, (change.event.to_json(), change.event.event))
            if change.action is not None:
                connection.execute(RECORD, _row(change.action))
            return True

        changed = await self._ledger.commits.run(work)
        if changed:
            self._remember(change.account)
        return changed

    async def record(self, actions: Sequence[Action]) -> None:
        """Keeps those whose transactions have none yet."""
        await self._ledger.commits.commit([(RECORD, _row(action)) for action in actions])

    async def forget(self, before: int, limit: int) -> int:
        """Deletes up to `limit` of the oldest actions, those made before then; how many."""
        return await self._ledger.commits.run(lambda connection: connection.execute(FORGET, (before, limit)).rowcount)

    async def denies(self, account: str) -> bool:
        """From memory: read when the file was opened, kept up with every commit."""
        until = self._denied.get(account)
        if until is None:
            return False
        if until <= self._now():
            del self._denied[account]
            return False
        return True

    def _remember(self, account: Account) -> None:
        until = account.denied_until
        if until is None:
            self._denied.pop(account.id, None)
        else:
            self._denied[account.id] = until


def _put(connection: sqlite3.Connection, account: Account) -> bool:
    """Whether the account was in the version before."""
    record, until = _ACCOUNT.dump_json(account).decode(), account.denied_until
    if account.version == 1:
        return connection.execute(INSERT, (account.id, 1, record, until)).rowcount == 1
    values = (account.version, record, until, account.id, account.version - 1)
    return connection.execute(UPDATE, values).rowcount == 1


def _row(action: Action) -> tuple[object, ...]:
    return action.client_id, action.transaction_id, action.effect, action.at
