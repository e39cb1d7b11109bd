"""Webhooks of clients in the embedded installation's file. Each change is written together with its event."""

from __future__ import annotations

import sqlite3
from typing import Any

from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.client_events.records import Health, Webhook, webhook_from_json, webhook_to_json
from assay.errors import StorageError
from assay.schemas.event import Event

COLUMNS = "record, last_success_at, last_failure_at, failing_since, error"
COUNT = "SELECT count(*) FROM webhooks WHERE client_id = ?"
INSERT = "INSERT INTO webhooks (id, client_id, status, version, record) VALUES (?, ?, ?, ?, ?)"
OF_CLIENT = f"SELECT {COLUMNS} FROM webhooks WHERE client_id = ? ORDER BY id"  # noqa: S608
ONE = f"SELECT {COLUMNS} FROM webhooks WHERE client_id = ? AND id = ?"  # noqa: S608
CHANGE = "UPDATE webhooks SET status = ?, version = ?, record = ? WHERE id = ? AND version = ?"
REMOVE = "DELETE FROM webhooks WHERE id = ? AND client_id = ?"
REMOVE_DELIVERIES = "DELETE FROM webhook_deliveries WHERE webhook_id = ?"


class SqliteWebhookStore:
    """Looks and writes in one transaction."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def add(self, webhook: Webhook, event: Event, most: int) -> bool:
        """False when the client has that many."""

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute(COUNT, (webhook.client_id,)).fetchone()[0] >= most:
                return False
            row = (webhook.id, webhook.client_id, webhook.status, webhook.version, webhook_to_json(webhook))
            connection.execute(INSERT, row)
            return _announce(connection, event)

        return await self._ledger.commits.run(work)

    async def get(self, client_id: str, webhook_id: str) -> Webhook | None:
        """The client's webhook with this id."""
        found = read(self._ledger, ONE, client_id, webhook_id)
        return webhook_of(found[0])[0] if found else None

    async def of_client(self, client_id: str) -> list[tuple[Webhook, Health]]:
        """All of the client's, by id."""
        return [webhook_of(row) for row in read(self._ledger, OF_CLIENT, client_id)]

    async def change(self, webhook: Webhook, event: Event) -> bool:
        """False when it is not in the version before."""
        state = (webhook.status, webhook.version, webhook_to_json(webhook))

        def work(connection: sqlite3.Connection) -> bool:
            is_changed = connection.execute(CHANGE, (*state, webhook.id, webhook.version - 1)).rowcount == 1
            return is_changed and _announce(connection, event)

        return await self._ledger.commits.run(work)

    async def remove(self, webhook: Webhook, event: Event) -> bool:
        """With its deliveries. False when there is none."""

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute(REMOVE, (webhook.id, webhook.client_id)).rowcount != 1:
                return False
            connection.execute(REMOVE_DELIVERIES, (webhook.id,))
            return _announce(connection, event)

        return await self._ledger.commits.run(work)


def webhook_of(row: tuple[Any, ...]) -> tuple[Webhook, Health]:
    """What `COLUMNS` hold."""
    record, *health = row
    return webhook_from_json(record), Health(*health)


def read(ledger: SqliteLedger, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Its rows. Raises `StorageError`."""
    try:
        return ledger.reader.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"events for clients: {error}") from error


def _announce(connection: sqlite3.Connection, event: Event) -> bool:
    connection.execute(INSERT_EVENT, (event.to_json(), event.event))
    return True
