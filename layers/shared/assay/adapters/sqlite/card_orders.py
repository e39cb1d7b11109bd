"""Orders for card management in the embedded installation's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from assay.accounts.orders import CardOrder, OrderKind, OrderState, redriven
from assay.accounts.records import Cause
from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.errors import StorageError
from assay.schemas.event import Event

_COLUMNS = (
    "id, account_id, kind, sequence, decided_at, client_id, transaction_id, until, body, due_at, state, attempts, error"
)
INSERT = f"INSERT OR IGNORE INTO card_orders ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
DROP_OLDER = (
    "UPDATE card_orders SET state = 'dropped' WHERE account_id = ? AND sequence < ? AND state IN ('pending', 'dead')"
)
ALL = f"SELECT {_COLUMNS} FROM card_orders"  # noqa: S608
ANY_DUE = "SELECT 1 FROM card_orders WHERE state = 'pending' AND due_at <= ? LIMIT 1"
DUE = (
    f"{ALL} o WHERE state = 'pending' AND due_at <= ? AND claimed_until <= ?"  # noqa: S608
    " AND NOT EXISTS (SELECT 1 FROM card_orders e WHERE e.account_id = o.account_id AND e.sequence < o.sequence"
    " AND e.claimed_until > ?) ORDER BY due_at LIMIT ?"
)
CLAIM = "UPDATE card_orders SET claimed_until = ?, attempts = attempts + 1 WHERE id = ?"
SETTLE = "UPDATE card_orders SET state = ?, due_at = ?, error = ? WHERE id = ? AND attempts = ? AND state = 'pending'"
END_CLAIM = "UPDATE card_orders SET claimed_until = 0 WHERE id = ? AND attempts = ?"
END_CLAIMS = "UPDATE card_orders SET claimed_until = 0 WHERE claimed_until > 0"
DEAD = f"{ALL} WHERE state = 'dead'"
REDRIVE = "UPDATE card_orders SET state = 'pending', attempts = 0, due_at = ? WHERE id = ?"
FORGET = (
    "DELETE FROM card_orders WHERE id IN"
    " (SELECT id FROM card_orders WHERE state IN ('done', 'dropped') AND due_at < ? LIMIT ?)"
)


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
            orders = [read(row) for row in connection.execute(DUE, (now, now, now, limit)).fetchall()]
            connection.executemany(CLAIM, [(until, order.id) for order in orders])
            return orders

        orders = await self._ledger.commits.run(work)
        return [replace(order, attempts=order.attempts + 1) for order in orders]

    async def settle(self, order: CardOrder, event: Event | None = None) -> None:
        """Keeps what became of a claimed order, with the event about it, and ends the claim."""
        outcome = (order.state, order.due_at, order.error, order.id, order.attempts)

        def work(connection: sqlite3.Connection) -> None:
            is_kept = connection.execute(SETTLE, outcome).rowcount == 1
            if is_kept and event is not None:
                _announce(connection, event)
            connection.execute(END_CLAIM, (order.id, order.attempts))

        await self._ledger.commits.run(work)

    async def redrive(self, now: int) -> int:
        """Makes dead orders pending and due, each with an event; how many."""

        def work(connection: sqlite3.Connection) -> int:
            orders = [read(row) for row in connection.execute(DEAD).fetchall()]
            for order in orders:
                connection.execute(REDRIVE, (now, order.id))
                _announce(connection, redriven(order))
            return len(orders)

        return await self._ledger.commits.run(work)

    async def forget(self, before: int, limit: int) -> int:
        """Deletes up to `limit` orders that are over, those that were due before then; how many."""
        return await self._ledger.commits.run(lambda connection: connection.execute(FORGET, (before, limit)).rowcount)

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


def _announce(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(INSERT_EVENT, (event.to_json(), event.event))


def _row(order: CardOrder) -> tuple[object, ...]:
    cause = order.cause
    about = (order.id, order.account_id, order.kind, order.sequence)
    why = (cause.decided_at, cause.client_id, cause.transaction_id)
    return (*about, *why, order.until, order.body, order.due_at, order.state, order.attempts, order.error)


def read(row: tuple[Any, ...]) -> CardOrder:
    """The order in a row of `ALL`."""
    id_, account_id, kind, sequence, decided_at, client_id, transaction_id, until, body, due_at, state, *tried = row
    cause = Cause(decided_at, client_id, transaction_id)
    about = (id_, account_id, OrderKind(kind), sequence, cause)
    return CardOrder(*about, until, body, due_at, OrderState(state), *tried)
