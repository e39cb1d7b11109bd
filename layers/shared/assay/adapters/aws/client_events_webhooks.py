"""Webhooks of clients in DynamoDB, as `client_events_items` lays them out."""

from __future__ import annotations

from assay.adapters.aws.client_events import PRESENT, webhooks_of
from assay.adapters.aws.client_events_items import count_key, read_webhook, webhook_item, webhook_key
from assay.adapters.aws.table import ABSENT, Table
from assay.client_events.records import Health, Webhook
from assay.schemas.event import Event

ABOUT = "webhook"


class DynamoWebhookStore:
    """Every method raises `StorageError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, webhook: Webhook, event: Event, most: int) -> bool:
        """False when the client has that many."""
        numbers = {"one": {"N": "1"}, "most": {"N": str(most)}}
        room = f"{ABSENT} OR webhooks < :most"
        counted = self._table.update(count_key(webhook.client_id), "ADD webhooks :one", room, **numbers)
        return not await self._table.commit(ABOUT, [self._table.put(webhook_item(webhook), ABSENT), counted], [event])

    async def get(self, client_id: str, webhook_id: str) -> Webhook | None:
        """The client's webhook with this id."""
        item = await self._table.get(webhook_key(client_id, webhook_id))
        return None if item is None else read_webhook(item)[0]

    async def of_client(self, client_id: str) -> list[tuple[Webhook, Health]]:
        """All of the client's, by id."""
        return await webhooks_of(self._table, client_id)

    async def change(self, webhook: Webhook, event: Event) -> bool:
        """False when it is not in the version before. How it is doing stays as it is."""
        item = webhook_item(webhook)
        given = {name: item[name] for name in ("written", "version")} | {"before": {"N": str(webhook.version - 1)}}
        place = webhook_key(webhook.client_id, webhook.id)
        change = self._table.update(place, "SET written = :written, version = :version", "version = :before", **given)
        return not await self._table.commit(ABOUT, [change], [event])

    async def remove(self, webhook: Webhook, event: Event) -> bool:
        """False when there is none. Its deliveries are left to pass: nobody looks for them any more."""
        removed = self._table.delete(webhook_key(webhook.client_id, webhook.id), PRESENT)
        counted = self._table.update(count_key(webhook.client_id), "ADD webhooks :less", less={"N": "-1"})
        return not await self._table.commit(ABOUT, [removed, counted], [event])
