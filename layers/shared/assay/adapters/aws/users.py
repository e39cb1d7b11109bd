"""Users in DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from assay.adapters.aws.identity import USERS
from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.sessions import deletes
from assay.adapters.aws.table import ABSENT, Table, Write, attributes, values
from assay.identity.ports import LastAdmin
from assay.identity.records import Status, User
from assay.identity.scopes import Role
from assay.schemas.event import Event

NOBODY = "-"
ADMINS = key("ADMINS", "A")


class DynamoUserStore:
    """Every method raises `StorageError`. A user's address never changes."""

    def __init__(self, table: Table, revocations: DynamoRevocations) -> None:
        self._table = table
        self._revocations = revocations

    async def add(self, user: User, event: Event) -> bool:
        """False when the e-mail address is taken."""
        table = self._table
        writes = [
            table.put({**_email(user.email), "user_id": {"S": user.id}}, ABSENT),
            table.put(_item(user), ABSENT),
            *self._admins(None, user),
        ]
        return not await table.commit("user", writes, [event])

    async def get(self, user_id: str) -> User | None:
        """The user with this id."""
        item = await self._table.get(key(USERS, user_id))
        return None if item is None else _user(item)

    async def by_email(self, email: str) -> User | None:
        """The user with this address. An unknown address takes as long as a known one: two reads."""
        item = await self._table.get(_email(email))
        return await self.get(NOBODY if item is None else item["user_id"]["S"])

    async def page(self, after: str, limit: int) -> list[User]:
        """Users by id, those after the given one."""
        return [_user(item) for item in await self._table.page(USERS, after, limit)]

    async def change(self, user: User, event: Event, ended: Sequence[str] = ()) -> bool:
        """Puts the user in the place of its version before, ends these sessions of it and revokes their tokens.

        False when the user was changed meanwhile. Raises `LastAdmin`.
        """
        before = await self.get(user.id)
        if before is None or before.version != user.version - 1:
            return False
        replaced = self._table.put(_item(user), "version = :before", before={"N": str(before.version)})
        writes = [replaced, *self._admins(before, user)]
        ends = [*self._revocations.puts(ended), *deletes(self._table, user.id, ended)]
        refused = await self._table.commit("user", writes, [event], ends)
        if refused == {1}:
            raise LastAdmin("the last active admin stays one")
        return not refused

    def _admins(self, before: User | None, after: User) -> list[Write]:
        """Keeps the set of active admins, which never gets empty: of two who let go at once, the second is refused."""
        was, becomes = _is_active_admin(before), _is_active_admin(after)
        if was == becomes:
            return []
        ids = {"SS": [after.id]}
        if becomes:
            return [self._table.update(ADMINS, "ADD ids :id", id=ids)]
        return [self._table.update(ADMINS, "DELETE ids :id", "size(ids) > :one", id=ids, one={"N": "1"})]


def _is_active_admin(user: User | None) -> bool:
    return user is not None and user.role is Role.ADMIN and user.status is Status.ACTIVE


def _email(email: str) -> Item:
    return key(f"EMAIL#{sha256(email.encode()).hexdigest()}", "E")


def _item(user: User) -> Item:
    return {**key(USERS, user.id), **attributes(user)}


def _user(item: Item) -> User:
    known = values(User, item)
    return User(**{**known, "role": Role(known["role"]), "status": Status(known["status"])})
