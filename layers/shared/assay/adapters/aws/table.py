"""A DynamoDB table as stores use it: how it is read, and how a change is committed together with its events.

What passes has `expires_at`, in seconds; DynamoDB may take days to delete it, so readers compare as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from assay.adapters.aws.clients import Clients, storage_errors
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox, WaitingEvent
from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.transactions import CONDITION_FAILED, OutcomeUnknown, transact
from assay.features.windows import SECOND
from assay.moments import now
from assay.schemas.event import Event

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ABSENT = "attribute_not_exists(pk)"
MAX_ITEMS = 100
"""Of one transaction: DynamoDB's limit."""
Write = dict[str, Any]
"""One item of a transaction."""
Value = str | int | bool | bytes | tuple[Any, ...]
"""Of a record's field."""


class Table:
    """A table as stores use it. Every method that waits raises `StorageError`."""

    def __init__(self, client: Any, name: str, outbox: DynamoOutbox, about: str) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "dynamodb". `about`: what the table holds, for the text of errors."""
        self.client = client
        self.name = name
        self._outbox = outbox
        self._about = about

    async def get(self, place: Item) -> Item | None:
        """The item as it is now."""
        with storage_errors(self._about):
            answer = await self.client.get_item(TableName=self.name, Key=place, ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    async def page(self, pk: str, after: str, limit: int) -> list[Item]:
        """So many of the partition's items, those after the given sk."""
        found: list[Item] = []
        async for item in self.partition(pk, after, limit):
            found.append(item)
            if len(found) == limit:
                break
        return found

    async def partition(self, pk: str, after: str = "", at_once: int = 1_000) -> AsyncGenerator[Item, None]:
        """The partition's items in the order of their sk, those after the given one, so many read at once."""
        start: dict[str, Any] = {"ExclusiveStartKey": key(pk, after)} if after else {}
        while True:
            with storage_errors(self._about):
                answer = await self.client.query(
                    TableName=self.name,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues={":pk": {"S": pk}},
                    ConsistentRead=True,
                    Limit=at_once,
                    **start,
                )
            for item in answer["Items"]:
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def commit(
        self, doing: str, writes: Sequence[Write], events: Sequence[Event] = (), ending: Sequence[Write] = ()
    ) -> set[int]:
        """Commits all of it together, or nothing: then it gives which of `writes` were refused.

        What of `ending` is too much for one transaction goes before it, in order, and stays whatever comes of the rest.
        """
        at = now()
        entries = [self._outbox.entry(event.client_id, event.id, event.to_json(), at) for event in events]
        waiting = [event for event, _ in entries]
        unit = [*writes, *(put for _, put in entries)]
        first = max(0, len(ending) - (MAX_ITEMS - len(unit)))
        for start in range(0, first, MAX_ITEMS):
            await transact(self.client, list(ending[start : min(start + MAX_ITEMS, first)]), doing)
        try:
            reasons = await transact(self.client, [*unit, *ending[first:]], doing)
        except OutcomeUnknown:
            if not await self._is_committed(waiting):
                raise
            reasons = ()
        # Refused by what we wrote ourselves, where an attempt was sent again because its answer had been lost?
        if reasons and not await self._is_committed(waiting):
            return {index for index, reason in enumerate(reasons) if reason == CONDITION_FAILED}
        await asyncio.gather(*map(self._outbox.deliver_soon, waiting))
        return set()

    async def _is_committed(self, waiting: Sequence[WaitingEvent]) -> bool:
        """By the events of the unit; of one that has none, nobody can tell."""
        return bool(waiting) and await self._outbox.holds(waiting[0])

    def put(self, item: Item, condition: str = "", **values: dict[str, Any]) -> Write:
        """A Put. `values`: what the condition calls `:name`, as the wire has it."""
        return {"Put": {"TableName": self.name, "Item": item, **_condition(condition, values)}}

    def delete(self, place: Item, condition: str = "", **values: dict[str, Any]) -> Write:
        """A Delete."""
        return {"Delete": {"TableName": self.name, "Key": place, **_condition(condition, values)}}

    def check(self, place: Item, condition: str, **values: dict[str, Any]) -> Write:
        """A ConditionCheck: changes nothing."""
        return {"ConditionCheck": {"TableName": self.name, "Key": place, **_condition(condition, values)}}

    def update(self, place: Item, expression: str, condition: str = "", **values: dict[str, Any]) -> Write:
        """An Update."""
        change = {"TableName": self.name, "Key": place, "UpdateExpression": expression}
        return {"Update": {**change, **_condition(condition, values)}}


async def open_table(clients: Clients, name: str, outbox: str, topic: str, about: str) -> Table:
    """A table whose changes are told of through the outbox's table and the topic (its ARN)."""
    dynamodb, sns = await clients.open("dynamodb"), await clients.open("sns")
    return Table(dynamodb, name, DynamoOutbox(dynamodb, outbox, SnsEvents(sns, topic)), about)


def attributes(record: DataclassInstance) -> Item:
    """A record's fields as the wire has them; None is left out."""
    given = ((field.name, getattr(record, field.name)) for field in fields(record))
    return {name: _attribute(value) for name, value in given if value is not None}


def values(kind: type[DataclassInstance], item: Item) -> dict[str, Any]:
    """The fields of a record of this kind out of its item; words are plain text."""
    return {field.name: _value(item[field.name]) if field.name in item else None for field in fields(kind)}


def expiry(moment: int) -> Item:
    """Lets DynamoDB delete the item some time after this, in microseconds."""
    return {"expires_at": {"N": str(moment // SECOND + 1)}}


def _condition(condition: str, values: dict[str, dict[str, Any]]) -> dict[str, Any]:
    given: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
    if values:
        given["ExpressionAttributeValues"] = {f":{name}": value for name, value in values.items()}
    return given


def _attribute(value: Value) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {"L": [_attribute(each) for each in value]}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def _value(attribute: dict[str, Any]) -> Value:
    ((kind, value),) = attribute.items()
    if kind == "L":
        return tuple(_value(each) for each in value)
    if kind == "B":
        return bytes(value)
    if kind == "BOOL":
        return bool(value)
    return int(value) if kind == "N" else str(value)
