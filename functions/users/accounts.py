"""Accounts of persons: registration, and what admins see and change of them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

from assay.identity.ports import LastAdmin, SessionStore, UserStore
from assay.identity.records import Status, User, normal_email
from assay.identity.scopes import Role
from assay.moments import now
from assay.problems import Problem
from assay.schemas.event import SYSTEM, Event
from functions.users import passwords
from functions.users.contracts import Registration, UserChange
from functions.users.passwords import Passwords
from functions.users.throttle import Throttle

USER_PREFIX = "usr_"
"""Of ids of users: no service client has it."""


class Accounts:
    """Users. All of it raises `Problem` and `StorageError`."""

    def __init__(
        self, users: UserStore, sessions: SessionStore, passwords: Passwords, throttle: Throttle, settled_s: float = 0.0
    ) -> None:
        """`settled_s`: a registration takes so long, and more than keeping a user takes: the time tells nobody."""
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._settled_s = settled_s

    async def register(self, registration: Registration, address: str) -> None:
        """Adds a user who may do nothing yet, or nobody when the e-mail address is taken. 422, 429."""
        passwords.check(registration.password, registration.email, "password")
        await self._throttle.registration(address)
        user = await self._user(registration, Role.VIEWER, Status.PENDING)
        event = Event.now("user.registered", user.id, user=user.id)
        await asyncio.gather(self._users.add(user, event), asyncio.sleep(self._settled_s))

    async def add_admin(self, registration: Registration) -> User | None:
        """Adds a user who may do everything, by command. None: the e-mail address is taken. 422."""
        passwords.check(registration.password, registration.email, "password")
        user = await self._user(registration, Role.ADMIN, Status.ACTIVE)
        event = Event.now("user.registered", SYSTEM, user=user.id, role=user.role.value, status=user.status.value)
        return user if await self._users.add(user, event) else None

    async def get(self, user_id: str) -> User:
        """404: there is none."""
        user = await self._users.get(user_id)
        if user is None:
            raise Problem(404, "unknown_user", "No user has this id")
        return user

    async def page(self, after: str, limit: int) -> list[User]:
        """Users by id, those after the given one."""
        return await self._users.page(after, limit)

    async def change(self, user_id: str, change: UserChange, actor: str) -> User:
        """The user with another role or status, its sessions ended. 404; 409: the last admin, or changed meanwhile."""
        user = await self.get(user_id)
        changed = replace(user, role=change.role or user.role, status=Status(change.status or user.status))
        if changed == user:
            return user
        kind = "user.role_changed" if changed.role is not user.role else "user.status_changed"
        before, after = ({"role": each.role.value, "status": each.status.value} for each in (user, changed))
        data = {**after, **{f"{name}_before": value for name, value in before.items()}}
        try:
            return await self.replace(changed, Event.now(kind, actor, user=user.id, **data))
        except LastAdmin:
            raise Problem(409, "last_admin", "There would be no active admin left") from None

    async def replace(self, user: User, event: Event) -> User:
        """Puts the user in the place of what it was, and ends its sessions. 409: changed meanwhile. `LastAdmin`."""
        changed = replace(user, version=user.version + 1)
        sessions = await self._sessions.of_user(user.id)
        if not await self._users.change(changed, event, [session.id for session in sessions]):
            raise changed_meanwhile()
        # A session can have begun in between; from now on none does with what was true before.
        for session in await self._sessions.of_user(user.id):
            late = Event.now("user.logged_out", event.client_id, user=user.id, session=session.id)
            await self._sessions.end(session.id, late)
        return changed

    async def _user(self, registration: Registration, role: Role, status: Status) -> User:
        hashed = await self._passwords.hash(registration.password)
        email = normal_email(registration.email)
        return User(f"{USER_PREFIX}{secrets.token_hex(12)}", email, registration.name, hashed, role, status, now())


def changed_meanwhile() -> Problem:
    """409."""
    return Problem(409, "changed_meanwhile", "It was changed meanwhile; look again")
