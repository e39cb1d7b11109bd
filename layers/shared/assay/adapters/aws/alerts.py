"""Alerts in DynamoDB. What belongs together is written in one transaction, unless somebody came between."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace
from typing import Any

from assay.adapters.aws.alert_items import (
    DEAD,
    LIST,
    alert_key,
    attribute,
    message_key,
    named,
    pending,
    place,
    pointer,
    pointer_item,
    read_alert,
    read_message,
    window_key,
    window_of,
)
from assay.adapters.aws.alert_unit import Unit, Write, portions
from assay.adapters.aws.clients import storage_errors
from assay.adapters.aws.profile_items import Item, stamp
from assay.adapters.aws.transactions import OutcomeUnknown, transact
from assay.alerts.records import Alert, Filter, Listed, Message, NewAlert, Position, State, digest_id
from assay.errors import StorageError

log = logging.getLogger(__name__)
ATTEMPTS = 8
"""At recording, while others record alerts of the same routes."""
PAUSE_S = 0.05
AT_ONCE = 100
"""Items that are read together: DynamoDB's limit."""
SCANNED = 1000
"""Entries of the list that are looked at together where not all are wanted."""
CHANGED = ("state", "due_at", "attempts", "recipients", "refused", "error")
"""Fields of a message that change."""


class DynamoAlertStore:
    """As `alert_items` lays it out. Every method raises `StorageError`."""

    def __init__(self, client: Any, table: str) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "dynamodb"."""
        self._client = client
        self._table = table

    async def record(self, alerts: Sequence[NewAlert]) -> int:
        """Keeps those not known by their id; how many were new."""
        distinct = {new.alert.id: new for new in reversed(alerts)}
        return sum([await self._record(portion) for portion in portions(reversed(distinct.values()))])

    async def claim(self, channel: str, now: int, until: int, limit: int) -> list[Message]:
        """Pending messages of the channel that are due, oldest first, each claimed until then."""
        due = await self._query(
            KeyConditionExpression="pk = :pk AND sk < :later",
            ExpressionAttributeValues={":pk": {"S": pending(channel)}, ":later": {"S": stamp(now + 1)}},
            Limit=limit,
        )
        messages = await self._messages([named(item) for item in due["Items"]])
        waiting = [message for message in messages if message.state is State.PENDING and message.due_at <= now]
        claims = [replace(message, due_at=until, attempts=message.attempts + 1) for message in waiting]
        won = await asyncio.gather(*map(self._change, waiting, claims))
        return [claim for claim, is_ours in zip(claims, won, strict=True) if is_ours]

    async def carried(self, message: Message, limit: int) -> tuple[list[Alert], int]:
        """The oldest alerts that the message is about, and how many there are in all."""
        found = await self._query(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": message_key(message.id)["pk"]},
            Limit=limit + 1,
        )
        if not found["Items"]:
            return [], 0
        itself, *links = found["Items"]
        return await self._alerts([named(link) for link in links]), int(itself["alerts"]["N"])

    async def settle(self, message: Message) -> None:
        """Keeps what became of a claimed message, unless it was claimed again meanwhile."""
        for before in await self._messages([message.id]):
            if before.state is State.PENDING and before.attempts == message.attempts:
                await self._change(before, message)

    async def page(self, wanted: Filter, after: Position | None, limit: int) -> list[Listed]:
        """The alerts after the position, newest first."""
        found: list[Listed] = []
        async for entries in self._list(wanted, after, limit):
            found += [listed for listed in await self._listed(entries) if _has(listed, wanted.state)]
            if len(found) >= limit:
                break
        return found[:limit]

    async def redrive(self, now: int) -> int:
        """Makes dead messages pending and due; how many."""
        start: dict[str, Any] = {}
        revived = 0
        while True:
            values = {":pk": {"S": DEAD}}
            found = await self._query(
                KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values, Limit=AT_ONCE, **start
            )
            for dead in await self._messages([item["sk"]["S"] for item in found["Items"]]):
                recipients = dead.recipients + dead.refused
                alive = replace(dead, state=State.PENDING, due_at=now, attempts=0, recipients=recipients, refused=())
                revived += dead.state is State.DEAD and await self._change(dead, alive)
            if "LastEvaluatedKey" not in found:
                return revived
            start = {"ExclusiveStartKey": found["LastEvaluatedKey"]}

    async def _record(self, alerts: Sequence[NewAlert]) -> int:
        for attempt in range(ATTEMPTS):
            known = await self._get([alert_key(new.alert.id) for new in alerts])
            new_ones = [new for new in alerts if _name(alert_key(new.alert.id)) not in known]
            if not new_ones:
                return 0
            unit = await self._begun({new.alert.route for new in new_ones if new.recipients})
            for new in new_ones:
                unit.add(new)
            try:
                if not await transact(self._client, unit.writes(), "alerts"):
                    return len(new_ones)
            except OutcomeUnknown:
                raise
            except StorageError as error:  # in a storm all write the same route's window
                log.info("recording is tried again: %s", error)
            await asyncio.sleep(PAUSE_S * (attempt + random.random()))
        raise StorageError("alerts: others record the same or of the same routes")

    async def _begun(self, routes: set[str]) -> Unit:
        """What the table holds of the routes."""
        found = await self._get([window_key(route) for route in routes])
        windows = {item["pk"]["S"].removeprefix("W#"): window_of(item) for item in found.values()}
        digests = await self._messages([digest_id(route, window) for route, window in windows.items()])
        return Unit(self._table, windows, {digest.id: digest for digest in digests})

    async def _change(self, before: Message, after: Message) -> bool:
        """Replaces a message, if it is as it was, and what finds it. Whether it was."""
        old, new = pointer(before), pointer(after)
        writes: list[Write] = [self._update(before, after)]
        if old != new and old is not None:
            writes.append({"Delete": {"TableName": self._table, "Key": old}})
        if old != new and new is not None:
            writes.append({"Put": {"TableName": self._table, "Item": pointer_item(after)}})
        return not await transact(self._client, writes, "alerts")

    def _update(self, before: Message, after: Message) -> Write:
        was = ("state", "due_at", "attempts")
        values = {f":{name}": attribute(getattr(after, name)) for name in CHANGED}
        values |= {f":was_{name}": attribute(getattr(before, name)) for name in was}
        change = {
            "TableName": self._table,
            "Key": message_key(after.id),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in CHANGED),
            "ConditionExpression": " AND ".join(f"#{name} = :was_{name}" for name in was),
            "ExpressionAttributeNames": {f"#{name}": name for name in CHANGED},
            "ExpressionAttributeValues": values,
        }
        return {"Update": change}

    async def _list(self, wanted: Filter, after: Position | None, limit: int) -> AsyncGenerator[list[Item], None]:
        """Entries of the list that route and client do not rule out, a few at a time."""
        asked = {name: getattr(wanted, name) for name in ("route", "client_id") if getattr(wanted, name) is not None}
        condition, values = "pk = :pk", {":pk": {"S": LIST}}
        values |= {f":{name}": {"S": value} for name, value in asked.items()}
        more: dict[str, Any] = {"Limit": limit if wanted == Filter() else SCANNED}
        if asked:
            more["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in asked)
            more["ExpressionAttributeNames"] = {f"#{name}": name for name in asked}
        if after is not None:
            condition += " AND sk < :after"
            values[":after"] = {"S": place(after.created_at, after.alert_id)}
        while True:
            page = await self._query(
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ScanIndexForward=False,
                **more,
            )
            for start in range(0, len(page["Items"]), limit):
                yield page["Items"][start : start + limit]
            if "LastEvaluatedKey" not in page:
                return
            more["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def _listed(self, entries: Sequence[Item]) -> list[Listed]:
        """The alerts of the list's entries, with their messages."""
        ids = {named(entry): [id_["S"] for id_ in entry["messages"]["L"]] for entry in entries}
        alerts = await self._alerts(ids)
        messages = {message.id: message for message in await self._messages({i for each in ids.values() for i in each})}
        carriers = {alert: [messages[i] for i in each if i in messages] for alert, each in ids.items()}
        return [
            Listed(alert, tuple(sorted(carriers[alert.id], key=lambda carrier: carrier.channel))) for alert in alerts
        ]

    async def _alerts(self, ids: Iterable[str]) -> list[Alert]:
        return [read_alert(item) for item in await self._in_order([alert_key(id_) for id_ in ids])]

    async def _messages(self, ids: Iterable[str]) -> list[Message]:
        return [read_message(item) for item in await self._in_order([message_key(id_) for id_ in ids])]

    async def _in_order(self, places: Sequence[Item]) -> list[Item]:
        """The items that are there, in the order of their keys as given."""
        found = await self._get(places)
        return [found[_name(place)] for place in places if _name(place) in found]

    async def _get(self, places: Sequence[Item]) -> dict[str, Item]:
        """Items as they are now, by the name of their key."""
        found: dict[str, Item] = {}
        for start in range(0, len(places), AT_ONCE):
            missing: dict[str, Any] = {
                self._table: {"Keys": list(places[start : start + AT_ONCE]), "ConsistentRead": True}
            }
            while missing:
                with storage_errors("alerts"):
                    page = await self._client.batch_get_item(RequestItems=missing)
                found |= {_name(item): item for item in page["Responses"].get(self._table, [])}
                missing = page.get("UnprocessedKeys", {})
        return found

    async def _query(self, **arguments: Any) -> Any:  # noqa: ANN401 - as the client has it
        with storage_errors("alerts"):
            return await self._client.query(TableName=self._table, ConsistentRead=True, **arguments)


def _name(item: Item) -> str:
    return f"{item['pk']['S']} {item['sk']['S']}"


def _has(listed: Listed, state: State | None) -> bool:
    return state is None or any(message.state is state for message in listed.messages)
