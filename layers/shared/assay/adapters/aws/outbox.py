"""The transactional outbox: an event is committed with its decision, published, and then deleted here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from assay.adapters.aws.clients import storage_errors
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.profile_items import Item, key, stamp
from assay.ports import DecisionRecord

SHARDS = 16
"""Partitions that commits are spread over: one takes about 50 events a second."""


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """A committed event that is not known to be published. `arrival` in microseconds since the epoch."""

    key: Item
    body: bytes
    arrival: int


class DynamoOutbox:
    """pk O#<shard>, sk <arrival>#<client>#<transaction>. Every method raises `StorageError`."""

    shards = SHARDS

    def __init__(self, client: Any, table: str, events: SnsEvents) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "dynamodb"."""
        self._client = client
        self._table = table
        self._events = events

    def entry(self, record: DecisionRecord, arrival: int) -> tuple[WaitingEvent, dict[str, Any]]:
        """The record's event, and what puts it here, to be written together with the decision."""
        name = f"{record.client_id}#{record.transaction_id}"
        place = key(f"O#{crc32(name.encode()) % SHARDS}", f"{stamp(arrival)}#{name}")
        put = {"Put": {"TableName": self._table, "Item": {**place, "body": {"B": record.event}}}}
        return WaitingEvent(place, record.event, arrival), put

    async def deliver(self, event: WaitingEvent) -> None:
        """Publishes the event and forgets it. Published twice, if this ends in between."""
        await self._events.publish(event.body)
        with storage_errors("outbox"):
            await self._client.delete_item(TableName=self._table, Key=event.key)

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
