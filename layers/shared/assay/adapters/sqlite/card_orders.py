"""Orders for card management in the embedded installation's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from assay.accounts.orders import CardOrder, OrderKind, OrderState
from assay.accounts.records import Cause
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.errors import StorageError

_COLUMNS = (
    "id, account_id, kind, sequence, decided_at, client_id, transaction_id, until, body, due_at, state, attempts, error"
)
INSERT = f"INSERT OR IGNORE INTO card_orders ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
DROP_OLDER = (
    "UPDATE card_orders SET state = 'dropped' WHERE account_id = ? AND sequence < ? AND state IN ('pending', 'dead')"
)
ANY_DUE = "SELECT 1 FROM card_orders WHERE state = 'pending' AND due_at <= ? LIMIT 1"
DUE = (
    f"SELECT {_COLUMNS} FROM card_orders o WHERE state = 'pending' AND due_at <= ? AND claimed_until <= ?"  # noqa: S608
    " AND NOT EXISTS (SELECT 1 FROM card_orders e WHERE e.account_id = o.account_id AND e.sequence < o.sequence"
    " AND e.claimed_until > ?) ORDER BY due_at LIMIT ?"
)
CLAIM = "UPDATE card_orders SET claimed_until = ?, attempts = attempts + 1 WHERE id = ?"
SETTLE = "UPDATE card_orders SET state = ?, due_at = ?, error = ? WHERE id = ? AND attempts = ? AND state = 'pending'"
END_CLAIM = "UPDATE card_orders SET claimed_until = 0 WHERE id = ? AND attempts = ?"
END_CLAIMS = "UPDATE card_orders SET claimed_until = 0 WHERE claimed_until > 0"
REDRIVE = "UPDATE card_orders SET state = 'pending', attempts = 0, due_at = ? WHERE state = 'dead'"


class SqliteCardOrderStore:
    """Orders are added with the change of their account (`SqliteAccountStore`)."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def open(self) -> None:
        """Ends every claim: the data folder is locked, so whoever made them is dead."""
        await self._ledger.commits.commit([(END_CLAIMS, ())])

    async def claim(self, now: int, until: int, limit: int) -> list[CardOrder]:
        """Due orders, oldest first; none while an older order of its account is claimed."""
        if not self._is_any_due(now):
            return []  # nearly always: a transaction for nothing would wait for the disk

        def work(connection: sqlite3.Connection) -> list[CardOrder]:
            orders = [_order(row) for row in connection.execute(DUE, (now, now, now, limit)).fetchall()]
            connection.executemany(CLAIM, [(until, order.id) for order in orders])
            return orders

        orders = await self._ledger.commits.run(work)
        return [replace(order, attempts=order.attempts + 1) for order in orders]

    async def settle(self, order: CardOrder) -> None:
        """Keeps what became of a claimed order, unless it was claimed again or dropped meanwhile; ends the claim."""
        outcome = (order.state, order.due_at, order.error, order.id, order.attempts)
        await self._ledger.commits.commit([(SETTLE, outcome), (END_CLAIM, (order.id, order.attempts))])

    async def redrive(self, now: int) -> int:
        """Makes dead orders pending and due; how many."""
        return await self._ledger.commits.run(lambda connection: connection.execute(REDRIVE, (now,)).rowcount)

    def _is_any_due(self, now: int) -> bool:
        try:
            return self._ledger.reader.execute(ANY_DUE, (now,)).fetchone() is not None
        except sqlite3.Error as error:
            raise StorageError(f"card orders: {error}") from error


def add_orders(connection: sqlite3.Connection, orders: Sequence[CardOrder]) -> None:
    """Adds an account's orders with the transaction under way, in the place of those that are not done."""
    if orders:
        connection.execute(DROP_OLDER, (orders[0].account_id, orders[0].sequence))
        connection.executemany(INSERT, [_row(order) for order in orders])


def _row(order: CardOrder) -> tuple[object, ...]:
    cause = order.cause
    about = (order.id, order.account_id, order.kind, order.sequence)
    why = (cause.decided_at, cause.client_id, cause.transaction_id)
    return (*about, *why, order.until, order.body, order.due_at, order.state, order.attempts, order.error)


def _order(row: tuple[Any, ...]) -> CardOrder:
    id_, account_id, kind, sequence, decided_at, client_id, transaction_id, until, body, due_at, state, *tried = row
    cause = Cause(decided_at, client_id, transaction_id)
    about = (id_, account_id, OrderKind(kind), sequence, cause)
    return CardOrder(*about, until, body, due_at, OrderState(state), *tried)
