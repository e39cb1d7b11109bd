"""Sessions in DynamoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from assay.adapters.aws.identity import USERS
from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.table import Table, Write, attributes, expiry, values
from assay.adapters.aws.transactions import OutcomeUnknown, transact
from assay.identity.records import Session
from assay.moments import now
from assay.schemas.event import Event


class DynamoSessionStore:
    """Every method raises `StorageError`."""

    def __init__(self, table: Table, revocations: DynamoRevocations, clock: Callable[[], int] = now) -> None:
        """`clock` gives microseconds since the epoch."""
        self._table = table
        self._revocations = revocations
        self._clock = clock

    async def add(self, session: Session, user_version: int, event: Event) -> bool:
        """Keeps a new session. False when its user is no longer of this version."""
        is_same = self._table.check(key(USERS, session.user_id), "version = :version", version={"N": str(user_version)})
        until = _until(session.expires_at)
        item = {**_place(session.id), **attributes(session), **until}
        listed = {**key(_list(session.user_id), session.id), **until}
        return not await self._table.commit("session", [is_same, *map(self._table.put, (item, listed))], [event])

    async def get(self, session_id: str) -> Session | None:
        """The session, unless it was ended or has expired."""
        item = await self._table.get(_place(session_id))
        if item is None or int(item["ends_at"]["N"]) <= self._clock():
            return None
        return Session(**values(Session, {**item, "expires_at": item["ends_at"]}))

    async def of_user(self, user_id: str) -> list[Session]:
        """All of the user's that are neither ended nor expired."""
        ids = [item["sk"]["S"] async for item in self._table.partition(_list(user_id))]
        found = await asyncio.gather(*map(self.get, ids))
        return [session for session in found if session is not None]

    async def rotate(self, session: Session, refresh_hash: bytes, expires_at: int) -> bool:
        """Puts the new hash in the place of `session.refresh_hash`. False when that is not there any more."""
        table, until = self._table, _until(expires_at)
        rotated = table.update(
            _place(session.id),
            "SET refresh_hash = :new, ends_at = :end, expires_at = :until",
            "refresh_hash = :old AND ends_at > :now",
            new={"B": refresh_hash},
            old={"B": session.refresh_hash},
            now={"N": str(self._clock())},
            end=until["ends_at"],
            until=until["expires_at"],
        )
        listed = table.put({**key(_list(session.user_id), session.id), **until})
        try:
            refused = bool(await transact(table.client, [rotated, listed], "session"))
        except OutcomeUnknown:
            if not await self._has(session.id, refresh_hash):
                raise
            return True
        # By our own first attempt, whose answer was lost? Taken for a token used twice, that would end the session.
        return not refused or await self._has(session.id, refresh_hash)

    async def end(self, session_id: str, event: Event) -> bool:
        """Ends the session and revokes its tokens. False when it was ended before; then nothing is kept."""
        item = await self._table.get(_place(session_id))
        if item is None:
            return False
        ended = self._table.delete(_place(session_id), "attribute_exists(pk)")
        listed = self._table.delete(key(_list(item["user_id"]["S"]), session_id))
        return not await self._table.commit("session", [ended, listed, *self._revocations.puts([session_id])], [event])

    async def _has(self, session_id: str, refresh_hash: bytes) -> bool:
        found = await self.get(session_id)
        return found is not None and found.refresh_hash == refresh_hash


def deletes(table: Table, user_id: str, session_ids: Sequence[str]) -> list[Write]:
    """What takes sessions of the user away."""
    return [
        table.delete(place)
        for session_id in session_ids
        for place in (_place(session_id), key(_list(user_id), session_id))
    ]


def _until(expires_at: int) -> Item:
    """The session's own end, and when DynamoDB may delete what is left of it: that is in whole seconds."""
    return {"ends_at": {"N": str(expires_at)}, **expiry(expires_at)}


def _place(session_id: str) -> Item:
    return key(f"SESSION#{session_id}", "S")


def _list(user_id: str) -> str:
    return f"SESSIONS#{user_id}"
