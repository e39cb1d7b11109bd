"""Sessions of persons: login, refresh tokens that are good once, logout, and a new password."""

from __future__ import annotations

import logging
from dataclasses import replace
from hmac import compare_digest

from assay.features.windows import SECOND
from assay.identity.ports import SessionStore, UserStore
from assay.identity.records import Session, Status, User, normal_email
from assay.identity.scopes import scopes_of
from assay.identity.tokens import Principal, unauthorized
from assay.moments import now
from assay.problems import Problem
from assay.schemas.event import SYSTEM, Event
from functions.users import passwords
from functions.users.accounts import Accounts, changed_meanwhile
from functions.users.contracts import Login, PasswordChange, Tokens
from functions.users.minting import Mint, digest, new_secret, new_session
from functions.users.passwords import Passwords
from functions.users.throttle import Throttle

log = logging.getLogger(__name__)
IDLE_S = 3_600
"""Without a refresh for so long, a session is over."""
LIFE_S = 12 * 3_600
"""It is over then in any case."""


class Sessions:
    """What a person does with its password and its tokens. All of it raises `Problem` and `StorageError`."""

    def __init__(
        self,
        users: UserStore,
        sessions: SessionStore,
        accounts: Accounts,
        passwords: Passwords,
        throttle: Throttle,
        mint: Mint,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._accounts = accounts
        self._passwords = passwords
        self._throttle = throttle
        self._mint = mint

    async def login(self, login: Login, address: str) -> Tokens:
        """401: e-mail address or password wrong; 403: not active; 409: changed meanwhile; 429."""
        user = await self._proven(login.email, login.password, address)
        if user.status is not Status.ACTIVE:
            raise Problem(403, "not_active", "The account is not active; an admin can activate it")
        user = await self._with_todays_hash(user, login.password)
        began = now()
        session = Session(new_session(), user.id, b"", began, 0)
        token = _refresh_token(session)
        session = replace(session, refresh_hash=digest(token), expires_at=_expiry(session))
        event = Event.now("user.logged_in", user.id, user=user.id, session=session.id)
        if not await self._sessions.add(session, user.version, event):
            raise changed_meanwhile()
        return await self._tokens(user, session, token)

    async def refresh(self, token: str) -> Tokens:
        """Tokens for the newest refresh token of a session; any other of its tokens ends it. 401."""
        session = await self._sessions.get(token.partition(".")[0])
        if session is None:
            raise _over()
        if not compare_digest(digest(token), session.refresh_hash):
            raise await self._reused(session)
        user = await self._users.get(session.user_id)
        if user is None or user.status is not Status.ACTIVE:
            raise _over()
        fresh = _refresh_token(session)
        rotated = replace(session, refresh_hash=digest(fresh), expires_at=_expiry(session))
        if not await self._sessions.rotate(session, rotated.refresh_hash, rotated.expires_at):
            raise await self._reused(session)
        return await self._tokens(user, rotated, fresh)

    async def logout(self, principal: Principal, session: str) -> None:
        """Ends the session; its tokens are void."""
        event = Event.now("user.logged_out", principal.subject, user=principal.subject, session=session)
        await self._sessions.end(session, event)

    async def change_password(self, user: User, change: PasswordChange, address: str) -> None:
        """Ends all of the user's sessions. 401: the current one is wrong; 409: changed meanwhile; 422; 429."""
        passwords.check(change.new_password, user.email, "new_password")
        user = await self._proven(user.email, change.current_password, address)
        if change.new_password == change.current_password:
            raise passwords.refused("new_password", "unchanged", "It should be another one")
        changed = replace(user, password_hash=await self._passwords.hash(change.new_password))
        await self._accounts.replace(changed, Event.now("user.password_changed", user.id, user=user.id))

    async def _proven(self, email: str, password: str, address: str) -> User:
        """The user whose password it is."""
        email = normal_email(email)
        guess = await self._throttle.guess(email, address)
        try:
            user = await self._users.by_email(email)
            right = await self._passwords.verify(user.password_hash if user else None, password)
        except Exception:
            await guess.take_back()
            raise
        if user is None or not right:
            log.warning("a wrong e-mail address or password")
            raise unauthorized("The e-mail address or the password is wrong")
        await guess.was_right()
        return user

    async def _with_todays_hash(self, user: User, password: str) -> User:
        if not self._passwords.is_outdated(user.password_hash):
            return user
        hashed = replace(user, password_hash=await self._passwords.hash(password), version=user.version + 1)
        event = Event.now("user.password_rehashed", SYSTEM, user=user.id)
        return hashed if await self._users.change(hashed, event) else user

    async def _reused(self, session: Session) -> Problem:
        """Somebody has a copy of a refresh token; who of them is the owner, nobody knows."""
        event = Event.now("session.reuse_detected", session.user_id, user=session.user_id, session=session.id)
        if await self._sessions.end(session.id, event):
            log.warning("a used refresh token: its session is over")
        return _over()

    async def _tokens(self, user: User, session: Session, refresh_token: str) -> Tokens:
        access = await self._mint.token(user.id, scopes_of(user.role), session.id, user.role)
        left = (session.expires_at - now()) // SECOND
        return Tokens(**access.model_dump(), refresh_token=refresh_token, refresh_expires_in=max(0, left))


def _refresh_token(session: Session) -> str:
    return f"{session.id}.{new_secret()}"


def _expiry(session: Session) -> int:
    return min(now() + IDLE_S * SECOND, session.created_at + LIFE_S * SECOND)


def _over() -> Problem:
    return unauthorized("The session is over; log in again")
