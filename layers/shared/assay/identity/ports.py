"""What identity needs from outside. SQLite and DynamoDB each, one contract suite. All of it raises `StorageError`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay.errors import AssayError
from assay.identity.records import ServiceClient, Session, User
from assay.identity.signing import KeyRing
from assay.schemas.event import Event


class LastAdmin(AssayError):  # noqa: N818 - named for what it would be
    """The change would leave no active admin. Nothing of it was kept."""


class Revocations(Protocol):
    """Sessions whose tokens are void though they have not expired."""

    async def is_revoked(self, session: str) -> bool:
        """Whether tokens of this session are void."""
        ...


class SigningKeys(Protocol):
    """Where the private keys are."""

    async def ring(self) -> KeyRing:
        """The keys as they are now. Raises `SigningKeysError` too."""
        ...


class UserStore(Protocol):
    """Users. Each change is committed with the event about it, or not at all."""

    async def add(self, user: User, event: Event) -> bool:
        """False when the e-mail address is taken."""
        ...

    async def get(self, user_id: str) -> User | None:
        """The user with this id."""
        ...

    async def by_email(self, email: str) -> User | None:
        """The user with this normalised address."""
        ...

    async def page(self, after: str, limit: int) -> list[User]:
        """Users by id, those after the given one."""
        ...

    async def change(self, user: User, event: Event, ended: Sequence[str] = ()) -> bool:
        """Puts the user in the place of its version before, ends these sessions and revokes their tokens.

        False when the user was changed meanwhile. Raises `LastAdmin`.
        """
        ...


class SessionStore(Protocol):
    """Sessions of users."""

    async def add(self, session: Session, user_version: int, event: Event) -> bool:
        """Keeps a new session. False when its user is no longer of this version: what let it in may not hold."""
        ...

    async def get(self, session_id: str) -> Session | None:
        """The session, unless it was ended or has expired."""
        ...

    async def of_user(self, user_id: str) -> list[Session]:
        """All of the user's that are neither ended nor expired, those added just now too."""
        ...

    async def rotate(self, session: Session, refresh_hash: bytes, expires_at: int) -> bool:
        """Puts the new hash in the place of `session.refresh_hash`. False when that is not there any more."""
        ...

    async def end(self, session_id: str, event: Event) -> bool:
        """Ends the session and revokes its tokens. False when it was ended before; then nothing is kept."""
        ...


class ServiceClientStore(Protocol):
    """Service clients. Each change is committed with the event about it, or not at all."""

    async def add(self, client: ServiceClient, event: Event) -> bool:
        """False when the id is taken."""
        ...

    async def get(self, client_id: str) -> ServiceClient | None:
        """The client with this id."""
        ...

    async def page(self, after: str, limit: int) -> list[ServiceClient]:
        """Clients by id, those after the given one."""
        ...

    async def change(self, client: ServiceClient, event: Event, ended: Sequence[str] = ()) -> bool:
        """Puts the client in the place of its version before and revokes tokens of these sessions.

        False when the client was changed meanwhile.
        """
        ...


class AttemptStore(Protocol):
    """Counts attempts by key, for a while. Keys are opaque: nothing personal is kept in clear."""

    async def count(self, key: str, window_s: int) -> int:
        """Counts one more, at once and atomically; how many there are in the window that is under way.

        Windows of `window_s` begin at its multiples since the epoch.
        """
        ...

    async def take_back(self, key: str, window_s: int) -> None:
        """Undoes one `count`: it was no failure."""
        ...

    async def remember(self, key: str, for_s: int) -> None:
        """Remembers the key for so long from now."""
        ...

    async def remembers(self, key: str) -> bool:
        """Whether it does still."""
        ...
