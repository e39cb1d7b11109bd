"""Feeds of clients, and deliveries to their webhooks, in DynamoDB, as `client_events_items` lays them out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from botocore.exceptions import ClientError

from assay.adapters.aws.client_events_items import (
    DEAD,
    WEBHOOKS,
    delivery_item,
    delivery_key,
    entry_items,
    feed,
    head_key,
    known_key,
    pending,
    read_delivery,
    read_entry,
    read_webhook,
    webhook_key,
)
from assay.adapters.aws.clients import code_of, storage_errors
from assay.adapters.aws.profile_items import Item, stamp
from assay.adapters.aws.table import ABSENT, MAX_ITEMS, Table, Write
from assay.adapters.aws.transactions import OutcomeUnknown
from assay.client_events.records import (
    Delivery,
    DeliveryState,
    Entry,
    Health,
    News,
    Webhook,
    WebhookStatus,
    deliveries,
    entry,
)
from assay.errors import StorageError
from assay.features.windows import SECOND
from assay.moments import now as now_

log = logging.getLogger(__name__)
ATTEMPTS = 8
"""At recording, while others record for the same client."""
PAUSE_S = 0.05
VISIBLE = 10 * SECOND
"""After it was made, an entry is seen by every query, and so are those before it; machines' clocks differ."""
PRESENT = "attribute_exists(pk)"
ABOUT = "client events"
SUCCEEDED = "SET last_success_at = :now REMOVE failing_since"
FAILED = "SET last_failure_at = :now, #error = :error, failing_since = if_not_exists(failing_since, :now)"


class DynamoFeedStore:
    """A client's numbers are given one commit after the other, each on the condition that it is the next.

    Every method raises `StorageError`.
    """

    def __init__(self, table: Table, clock: Callable[[], int] = now_) -> None:
        """`clock` gives microseconds since the epoch."""
        self._table = table
        self._clock = clock

    async def record(self, news: Sequence[News], now: int) -> int:
        """Keeps what is new, with its deliveries; how many. Clients' feeds are written beside each other."""
        of_client: dict[str, dict[str, News]] = {}
        for one in news:
            of_client.setdefault(one.client_id, {}).setdefault(one.event_id, one)
        recorded = (self._record(client, list(each.values()), now) for client, each in of_client.items())
        return sum(await asyncio.gather(*recorded))

    async def page(self, client_id: str, after: int, limit: int) -> list[Entry]:
        """The client's entries with higher numbers, lowest first."""
        items = await self._table.page(feed(client_id), stamp(after), limit)
        return without_skipping([read_entry(item) for item in items], after, self._clock())

    async def _record(self, client_id: str, news: Sequence[News], now: int) -> int:
        webhooks = [webhook for webhook, _ in await webhooks_of(self._table, client_id)]
        return sum([await self._commit(client_id, part, webhooks, now) for part in _portions(news, len(webhooks))])

    async def _commit(self, client_id: str, news: Sequence[News], webhooks: Sequence[Webhook], now: int) -> int:
        for attempt in range(ATTEMPTS):
            known = await asyncio.gather(*(self._table.get(known_key(client_id, one.event_id)) for one in news))
            fresh = [one for one, item in zip(news, known, strict=True) if item is None]
            if not fresh:
                return 0
            head = await self._table.get(head_key(client_id))
            first = 1 + (0 if head is None else int(head["given"]["N"]))
            entries = [entry(one, first + n, now) for n, one in enumerate(fresh)]
            try:
                if not await self._table.commit(ABOUT, self._writes(entries, webhooks)):
                    return len(fresh)
            except OutcomeUnknown:
                raise
            except StorageError as error:  # in a storm many write the same client's feed
                log.info("recording is tried again: %s", error)
            await asyncio.sleep(PAUSE_S * (attempt + random.random()))
        raise StorageError(f"{ABOUT}: others record for the same client")

    def _writes(self, entries: Sequence[Entry], webhooks: Sequence[Webhook]) -> list[Write]:
        """One transaction: the numbers that follow, the entries with them, their deliveries."""
        first, last = entries[0], entries[-1]
        head = {**head_key(last.client_id), "given": {"N": str(last.sequence)}}
        given = {"given": {"N": str(first.sequence - 1)}}
        is_next = (
            self._table.put(head, ABSENT) if first.sequence == 1 else self._table.put(head, "given = :given", **given)
        )
        items = [item for each in entries for item in entry_items(each)]
        sent = [delivery_item(delivery) for each in entries for delivery in deliveries(each, webhooks)]
        return [is_next, *(self._table.put(item, ABSENT) for item in items), *map(self._table.put, sent)]


class DynamoDeliveryStore:
    """A delivery's key has its due time: who claims it moves it, and only one can. All of it raises `StorageError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def due(self, now: int) -> list[tuple[Webhook, Health]]:
        """The active webhooks that something is due for."""
        listed = [read_webhook(item) async for item in self._table.partition(WEBHOOKS)]
        active = [each for each in listed if each[0].status is WebhookStatus.ACTIVE]
        waiting = await asyncio.gather(*(self._due(webhook.id, now, 1) for webhook, _ in active))
        return [each for each, found in zip(active, waiting, strict=True) if found]

    async def claim(self, webhook_id: str, now: int, until: int, limit: int) -> list[Delivery]:
        """Its due deliveries, oldest first."""
        waiting = await self._due(webhook_id, now, limit)
        claims = [replace(delivery, due_at=until, attempts=delivery.attempts + 1) for delivery in waiting]
        won = await asyncio.gather(*map(self._move, waiting, claims))
        return [claim for claim, is_ours in zip(claims, won, strict=True) if is_ours]

    async def settle(self, webhook: Webhook, claimed: Delivery, after: Delivery | None, now: int) -> None:
        """Keeps what became of it, unless it was claimed again meanwhile, and then what that says of the webhook."""
        await self._move(claimed, after)
        await self._note(webhook, now, None if after is None else after.error)

    async def redrive(self, now: int) -> int:
        """Makes dead deliveries to active webhooks pending; how many."""
        listed = [read_webhook(item) async for item in self._table.partition(WEBHOOKS)]
        active = {webhook.id for webhook, _ in listed if webhook.status is WebhookStatus.ACTIVE}
        revived = 0
        async for item in self._table.partition(DEAD):
            dead = read_delivery(item)
            if dead.webhook_id in active:
                alive = replace(dead, state=DeliveryState.PENDING, due_at=now, attempts=0)
                revived += await self._move(dead, alive)
        return revived

    async def _due(self, webhook_id: str, now: int, limit: int) -> list[Delivery]:
        with storage_errors(ABOUT):
            found = await self._table.client.query(
                TableName=self._table.name,
                KeyConditionExpression="pk = :pk AND sk < :later",
                ExpressionAttributeValues={":pk": {"S": pending(webhook_id)}, ":later": {"S": stamp(now + 1)}},
                ConsistentRead=True,
                Limit=limit,
            )
        return [read_delivery(item) for item in found["Items"]]

    async def _move(self, before: Delivery, after: Delivery | None) -> bool:
        """Puts it (None: nothing) in the place of what it was, if that is still there. Whether it was."""
        old = delivery_key(before)
        if after is None:
            writes = [self._table.delete(old, PRESENT)]
        elif delivery_key(after) == old:
            writes = [self._table.put(delivery_item(after), PRESENT)]
        else:
            writes = [self._table.delete(old, PRESENT), self._table.put(delivery_item(after))]
        return not await self._table.commit(ABOUT, writes)

    async def _note(self, webhook: Webhook, now: int, error: str | None) -> None:
        """How the webhook is doing; nothing when it was removed."""
        values: Item = {":now": {"N": str(now)}, **({} if error is None else {":error": {"S": error}})}
        with storage_errors(ABOUT):
            try:
                await self._table.client.update_item(
                    TableName=self._table.name,
                    Key=webhook_key(webhook.client_id, webhook.id),
                    UpdateExpression=SUCCEEDED if error is None else FAILED,
                    ConditionExpression=PRESENT,
                    ExpressionAttributeValues=values,
                    **({} if error is None else {"ExpressionAttributeNames": {"#error": "error"}}),
                )
            except ClientError as failure:
                if code_of(failure) != "ConditionalCheckFailedException":
                    raise


async def webhooks_of(table: Table, client_id: str) -> list[tuple[Webhook, Health]]:
    """The client's webhooks, by id."""
    found: list[tuple[Webhook, Health]] = []
    prefix = f"{client_id}#"
    async for item in table.partition(WEBHOOKS, prefix, at_once=10):
        if not item["sk"]["S"].startswith(prefix):
            break
        found.append(read_webhook(item))
    return found


def without_skipping(entries: Sequence[Entry], after: int, now: int) -> list[Entry]:
    """The entries up to a gap that may close yet. A query beside a transaction can find some of what that writes, and
    miss an item of a lower number. What is missing before an older entry has been deleted after its time.
    """
    before = after
    for n, each in enumerate(entries):
        if each.sequence != before + 1 and each.at > now - VISIBLE:
            return list(entries[:n])
        before = each.sequence
    return list(entries)


def _portions(news: Sequence[News], webhooks: int) -> Iterator[Sequence[News]]:
    """As many at a time as one transaction holds: two items and the deliveries for each, and the head."""
    size = (MAX_ITEMS - 1) // (2 + webhooks)
    return (news[start : start + size] for start in range(0, len(news), size))
