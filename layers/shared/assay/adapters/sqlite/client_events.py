"""Feeds of clients, and deliveries to their webhooks, in the embedded installation's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from assay.adapters.sqlite.client_events_webhooks import COLUMNS, read, webhook_of
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.client_events.records import (
    KEPT,
    Delivery,
    DeliveryState,
    Entry,
    Health,
    News,
    Webhook,
    deliveries,
    entry,
)

TOGETHER = 50
"""Events in a commit: between two of them, what is being scored in this process has its turn."""
KNOWN = "SELECT 1 FROM client_events WHERE client_id = ? AND event_id = ?"
LAST = "SELECT last FROM client_feeds WHERE client_id = ?"
PUT_LAST = "INSERT OR REPLACE INTO client_feeds VALUES (?, ?)"
INSERT_ENTRY = "INSERT INTO client_events VALUES (?, ?, ?, ?, ?, ?)"
OF_CLIENT = f"SELECT {COLUMNS} FROM webhooks WHERE client_id = ? AND status = 'active' ORDER BY id"  # noqa: S608
PAGE = "SELECT * FROM client_events WHERE client_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"
PURGE_ENTRIES = "DELETE FROM client_events WHERE at < ?"

_DELIVERY = "webhook_id, event_id, body, created_at, due_at, state, attempts, error"
INSERT_DELIVERY = f"INSERT INTO webhook_deliveries ({_DELIVERY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
WAITING = (
    f"SELECT {COLUMNS} FROM webhooks w WHERE status = 'active' AND EXISTS (SELECT 1 FROM webhook_deliveries d"  # noqa: S608
    " WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.due_at <= ?)"
)
DUE = (
    f"SELECT {_DELIVERY} FROM webhook_deliveries WHERE webhook_id = ? AND state = 'pending' AND due_at <= ?"  # noqa: S608
    " ORDER BY due_at, created_at, event_id LIMIT ?"
)
CLAIM = (
    "UPDATE webhook_deliveries SET due_at = ?, attempts = attempts + 1, is_claimed = 1"
    " WHERE webhook_id = ? AND event_id = ?"
)
END_CLAIMS = "UPDATE webhook_deliveries SET due_at = created_at, is_claimed = 0 WHERE is_claimed = 1"
_CLAIMED = "WHERE webhook_id = ? AND event_id = ? AND attempts = ? AND state = 'pending'"
FORGET = f"DELETE FROM webhook_deliveries {_CLAIMED}"  # noqa: S608
SETTLE = f"UPDATE webhook_deliveries SET due_at = ?, state = ?, error = ?, is_claimed = 0 {_CLAIMED}"  # noqa: S608
SUCCEEDED = "UPDATE webhooks SET last_success_at = ?, failing_since = NULL WHERE id = ?"
FAILED = "UPDATE webhooks SET last_failure_at = ?, error = ?, failing_since = coalesce(failing_since, ?) WHERE id = ?"
REDRIVE = (
    "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, due_at = ? WHERE state = 'dead'"
    " AND webhook_id IN (SELECT id FROM webhooks WHERE status = 'active')"
)
PURGE_DELIVERIES = "DELETE FROM webhook_deliveries WHERE created_at < ?"


class SqliteFeedStore:
    """The file has one writer, so numbers are given in the order of commits."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def record(self, news: Sequence[News], now: int) -> int:
        """Keeps what is new, with its deliveries; how many."""
        portions = [news[start : start + TOGETHER] for start in range(0, len(news), TOGETHER)]
        return sum([await self._record(portion, now) for portion in portions])

    async def page(self, client_id: str, after: int, limit: int) -> list[Entry]:
        """The client's entries with higher numbers, lowest first."""
        return [Entry(*row) for row in read(self._ledger, PAGE, client_id, after, limit)]

    async def purge(self, now: int) -> None:
        """Forgets what was kept long enough."""
        kept_from = (now - KEPT,)
        await self._ledger.commits.commit([(PURGE_ENTRIES, kept_from), (PURGE_DELIVERIES, kept_from)])

    async def _record(self, news: Sequence[News], now: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return sum([_add(connection, one, now) for one in news])

        return await self._ledger.commits.run(work)


class SqliteDeliveryStore:
    """Only this process claims: the data folder is locked."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def open(self) -> None:
        """Ends every claim: whoever made them is dead."""
        await self._ledger.commits.commit([(END_CLAIMS, ())])

    async def due(self, now: int) -> list[tuple[Webhook, Health]]:
        """The active webhooks that something is due for."""
        return [webhook_of(row) for row in read(self._ledger, WAITING, now)]

    async def claim(self, webhook_id: str, now: int, until: int, limit: int) -> list[Delivery]:
        """Its due deliveries, oldest first."""

        def work(connection: sqlite3.Connection) -> list[Delivery]:
            found = [_delivery(row) for row in connection.execute(DUE, (webhook_id, now, limit)).fetchall()]
            connection.executemany(CLAIM, [(until, webhook_id, delivery.event_id) for delivery in found])
            return found

        found = await self._ledger.commits.run(work)
        return [replace(delivery, due_at=until, attempts=delivery.attempts + 1) for delivery in found]

    async def settle(self, webhook: Webhook, claimed: Delivery, after: Delivery | None, now: int) -> None:
        """Keeps what became of it, unless it was claimed again meanwhile."""
        which = (claimed.webhook_id, claimed.event_id, claimed.attempts)
        if after is None:
            await self._ledger.commits.commit([(FORGET, which), (SUCCEEDED, (now, webhook.id))])
        else:
            outcome = (after.due_at, after.state, after.error, *which)
            health = (now, after.error, now, webhook.id)
            await self._ledger.commits.commit([(SETTLE, outcome), (FAILED, health)])

    async def redrive(self, now: int) -> int:
        """Makes dead deliveries to active webhooks pending; how many."""
        return await self._ledger.commits.run(lambda connection: connection.execute(REDRIVE, (now,)).rowcount)


def _add(connection: sqlite3.Connection, news: News, now: int) -> bool:
    """Whether it was new."""
    if connection.execute(KNOWN, (news.client_id, news.event_id)).fetchone() is not None:
        return False
    last = connection.execute(LAST, (news.client_id,)).fetchone()
    new = entry(news, 1 if last is None else last[0] + 1, now)
    row = (new.client_id, new.sequence, new.event_id, new.kind, new.at, new.body)
    connection.execute(INSERT_ENTRY, row)
    connection.execute(PUT_LAST, (new.client_id, new.sequence))
    webhooks = [webhook_of(row)[0] for row in connection.execute(OF_CLIENT, (new.client_id,)).fetchall()]
    connection.executemany(INSERT_DELIVERY, [_row(delivery) for delivery in deliveries(new, webhooks)])
    return True


def _row(delivery: Delivery) -> tuple[object, ...]:
    which = (delivery.webhook_id, delivery.event_id, delivery.body)
    return (*which, delivery.created_at, delivery.due_at, delivery.state, delivery.attempts, delivery.error)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    webhook_id, event_id, body, created_at, due_at, state, attempts, error = row
    return Delivery(webhook_id, event_id, body, created_at, due_at, DeliveryState(state), attempts, error)
