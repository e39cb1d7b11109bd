"""Orders for card management in DynamoDB, as `account_items` lays them out.

Of an account's orders one is on its way at a time: whoever carries it out holds the account's claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from assay.accounts.orders import CardOrder, OrderState, redriven
from assay.adapters.aws.account_items import (
    DEAD,
    PENDING,
    claim_item,
    claim_key,
    order_key,
    read_order,
    replaced,
)
from assay.adapters.aws.profile_items import Item, stamp
from assay.adapters.aws.table import Table
from assay.errors import StorageError
from assay.schemas.event import Event

FREE = "attribute_not_exists(pk) OR claimed_until <= :now"
OURS = "order_id = :id AND attempts = :attempts"


class DynamoCardOrderStore:
    """Orders are added with the change of their account (`DynamoAccountStore`). Every method raises `StorageError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def claim(self, now: int, until: int, limit: int) -> list[CardOrder]:
        """Due orders, oldest first; none while another order of its account is claimed."""
        due = self._due(now, limit)
        claimed: list[CardOrder] = []
        while waiting := await _next(due, limit - len(claimed)):
            won = await asyncio.gather(*(self._claim(place, now, until) for place in waiting))
            claimed += [order for order in won if order is not None]
        return claimed

    async def settle(self, order: CardOrder, event: Event | None = None) -> None:
        """Keeps what became of a claimed order, with the event about it, and ends the claim."""
        item, before = await self._read(order_key(order))
        if before.state is OrderState.PENDING and before.attempts == order.attempts:
            # Refused is right as well: somebody has dropped it, or claimed it again, between these two lines.
            await self._table.commit("card order", replaced(self._table, item, order), [] if event is None else [event])
        held = {"id": {"S": order.id}, "attempts": {"N": str(order.attempts)}}
        await self._table.commit("card order", [self._table.delete(claim_key(order), OURS, **held)])

    async def redrive(self, now: int) -> int:
        """Makes dead orders pending and due, each with an event; how many."""
        return sum([await self._revive(item["order"]["M"], now) async for item in self._table.partition(DEAD)])

    async def _due(self, now: int, at_once: int) -> AsyncGenerator[Item, None]:
        """Keys of the orders that are due, oldest first."""
        async for item in self._table.partition(PENDING, at_once=at_once):
            if item["sk"]["S"] >= stamp(now + 1):
                return
            yield item["order"]["M"]

    async def _claim(self, place: Item, now: int, until: int) -> CardOrder | None:
        item, order = await self._read(place)
        if order.state is not OrderState.PENDING or order.due_at > now:
            return None
        claimed = replace(order, attempts=order.attempts + 1)
        writes = [
            *replaced(self._table, item, replace(claimed, due_at=until)),
            self._table.put(claim_item(claimed, until), FREE, now={"N": str(now)}),
        ]
        return None if await self._table.commit("card orders", writes) else claimed

    async def _revive(self, place: Item, now: int) -> bool:
        item, order = await self._read(place)
        if order.state is not OrderState.DEAD:
            return False
        alive = replace(order, state=OrderState.PENDING, attempts=0, due_at=now)
        return not await self._table.commit("card order", replaced(self._table, item, alive), [redriven(alive)])

    async def _read(self, place: Item) -> tuple[Item, CardOrder]:
        item = await self._table.get(place)
        if item is None:
            raise StorageError("card order: it is gone")
        return item, read_order(item)


async def _next(places: AsyncGenerator[Item, None], count: int) -> list[Item]:
    """So many of them, or what is left."""
    found: list[Item] = []
    while len(found) < count:
        place = await anext(places, None)
        if place is None:
            break
        found.append(place)
    return found
