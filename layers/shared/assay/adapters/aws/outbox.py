"""The transactional outbox: an event is committed with its decision, published, and then deleted here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from assay.adapters.aws.clients import storage_errors
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.profile_items import Item, key, stamp
from assay.errors import StorageError

log = logging.getLogger(__name__)
PUBLISH_WITHIN_S = 1.0
"""What is committed does not wait longer for the topic: the sweeper will publish its event."""
SHARDS = 16
"""Partitions that commits are spread over: one takes about 50 events a second."""


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """A committed event that is not known to be published. `arrival` in microseconds since the epoch."""

    key: Item
    body: bytes
    arrival: int


class DynamoOutbox:
    """pk O#<shard>, sk <arrival>#<client>#<id>. Every method raises `StorageError`."""

    shards = SHARDS

    def __init__(self, client: Any, table: str, events: SnsEvents) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "dynamodb"."""
        self._client = client
        self._table = table
        self._events = events

    def entry(self, client_id: str, id: str, body: bytes, arrival: int) -> tuple[WaitingEvent, dict[str, Any]]:  # noqa: A002
        """The event, and what puts it here, to be written together with what it is about."""
        name = f"{client_id}#{id}"
        place = key(f"O#{crc32(name.encode()) % SHARDS}", f"{stamp(arrival)}#{name}")
        put = {"Put": {"TableName": self._table, "Item": {**place, "body": {"B": body}}}}
        return WaitingEvent(place, body, arrival), put

    async def holds(self, event: WaitingEvent) -> bool:
        """Whether the event is here: so it is after its commit, until it is delivered or swept."""
        with storage_errors("outbox"):
            answer = await self._client.get_item(TableName=self._table, Key=event.key, ConsistentRead=True)
        return "Item" in answer

    async def deliver(self, event: WaitingEvent) -> None:
        """Publishes the event and forgets it. Published twice, if this ends in between."""
        await self._events.publish(event.body)
        with storage_errors("outbox"):
            await self._client.delete_item(TableName=self._table, Key=event.key)

    async def deliver_soon(self, event: WaitingEvent) -> None:
        """Publishes the event if the topic takes it now; else the sweeper will."""
        try:
            async with asyncio.timeout(PUBLISH_WITHIN_S):
                await self.deliver(event)
        except (StorageError, TimeoutError) as error:
            log.warning("an event waits for the sweeper: %s", str(error) or "no time")

    async def waiting(self, shard: int, before: int) -> AsyncGenerator[WaitingEvent, None]:
        """The shard's events that arrived before then, oldest first."""
        start: dict[str, Any] = {}
        while True:
            with storage_errors("outbox"):
                page = await self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk AND sk < :before",
                    ExpressionAttributeValues={":pk": {"S": f"O#{shard}"}, ":before": {"S": stamp(before)}},
                    ConsistentRead=True,
                    **start,
                )
            for item in page["Items"]:
                place = {"pk": item["pk"], "sk": item["sk"]}
                yield WaitingEvent(place, bytes(item["body"]["B"]), int(item["sk"]["S"].partition("#")[0]))
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
