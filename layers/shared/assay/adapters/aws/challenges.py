"""Challenges, contacts and authenticator apps in DynamoDB. Each change is one transaction, with the events about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from assay.adapters.aws.challenge_items import (
    ENDS,
    UNSENT,
    app_item,
    app_key,
    app_write,
    challenge_key,
    challenge_writes,
    contact_key,
    end_of,
    named,
    read_app,
    read_challenge,
    read_sends,
    sends_key,
    sends_write,
)
from assay.adapters.aws.profile_items import Item
from assay.adapters.aws.table import ABSENT, Table
from assay.challenges.records import Challenge, ChallengeStatus, Delivery, Enrolment, Sends, is_overdue
from assay.schemas.event import Event


class DynamoChallengeStore:
    """As `challenge_items` lays it out. Every method raises `StorageError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def get(self, challenge_id: str) -> Challenge | None:
        """The challenge with this id."""
        item = await self._table.get(challenge_key(challenge_id))
        return None if item is None else read_challenge(item)

    async def sends(self, client_id: str, account_id: str) -> Sends:
        """The account's; of version 0 when there were none."""
        item = await self._table.get(sends_key(client_id, account_id))
        return Sends(client_id, account_id) if item is None else read_sends(item)

    async def save(
        self,
        challenge: Challenge,
        *,
        sends: Sends | None = None,
        enrolment: Enrolment | None = None,
        events: Sequence[Event] = (),
    ) -> bool:
        """All of it, or False and nothing.

        Without events it may be False of a change that is kept, where an answer was lost: never the other way round.
        """
        writes = list(challenge_writes(self._table, challenge))
        if sends is not None:
            writes.append(sends_write(self._table, sends))
        if enrolment is not None:
            writes.append(app_write(self._table, enrolment))
        return not await self._table.commit("challenge", writes, events)

    async def overdue(self, now: int, limit: int) -> list[Challenge]:
        """Pending ones whose time is over, oldest first."""
        pointers = await self._table.page(ENDS, "", limit)
        found = await self._found([pointer for pointer in pointers if end_of(pointer) <= now])
        return [challenge for challenge in found if is_overdue(challenge, now)]

    async def stalled(self, now: int, limit: int) -> list[Challenge]:
        """Pending ones with a code to be sent that nobody is sending any more."""
        pointers: list[Item] = []
        async for pointer in self._table.partition(UNSENT):  # as few as there are codes under way
            if int(pointer["claimed_until"]["N"]) <= now and len(pointers) < limit:
                pointers.append(pointer)
        return [challenge for challenge in await self._found(pointers) if _is_stalled(challenge, now)]

    async def _found(self, pointers: Sequence[Item]) -> list[Challenge]:
        found = await asyncio.gather(*(self.get(named(pointer)) for pointer in pointers))
        return [challenge for challenge in found if challenge is not None]


class DynamoFactorStore:
    """Sealed contacts, and authenticator apps. Every method raises `StorageError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def contact(self, client_id: str, account_id: str) -> bytes | None:
        """The account's contact, sealed."""
        item = await self._table.get(contact_key(client_id, account_id))
        return None if item is None else bytes(item["sealed"]["B"])

    async def put_contact(self, client_id: str, account_id: str, sealed: bytes, event: Event) -> None:
        """Keeps it in the place of the one before."""
        item = {**contact_key(client_id, account_id), "sealed": {"B": sealed}}
        await self._table.commit("contact", [self._table.put(item)], [event])

    async def remove_contact(self, client_id: str, account_id: str, event: Event) -> bool:
        """False when there is none."""
        return await self._remove("contact", contact_key(client_id, account_id), event)

    async def enrolment(self, client_id: str, account_id: str) -> Enrolment | None:
        """The account's authenticator app, confirmed or not."""
        item = await self._table.get(app_key(client_id, account_id))
        return None if item is None else read_app(item)

    async def enrol(self, enrolment: Enrolment, event: Event) -> bool:
        """Keeps it, in the place of one that was never confirmed. False when the account has one that was."""
        free = f"{ABSENT} OR is_confirmed = :no"
        put = self._table.put(app_item(enrolment), free, no={"BOOL": False})
        return not await self._table.commit("app", [put], [event])

    async def change_enrolment(self, enrolment: Enrolment, events: Sequence[Event]) -> bool:
        """Puts it in the place of its version before. False when that is not there any more."""
        return not await self._table.commit("app", [app_write(self._table, enrolment)], events)

    async def remove_enrolment(self, client_id: str, account_id: str, event: Event) -> bool:
        """False when there is none."""
        return await self._remove("app", app_key(client_id, account_id), event)

    async def _remove(self, doing: str, place: Item, event: Event) -> bool:
        return not await self._table.commit(doing, [self._table.delete(place, "attribute_exists(pk)")], [event])


def _is_stalled(challenge: Challenge, now: int) -> bool:
    is_waiting = challenge.status is ChallengeStatus.PENDING and challenge.delivery is Delivery.WAITING
    return is_waiting and challenge.claimed_until <= now
