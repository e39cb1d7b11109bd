"""What is kept of users, their sessions, and service clients. Times in microseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from assay.identity.scopes import Role


class Status(StrEnum):
    """Of a user or a service client. Only an active one gets tokens."""

    PENDING = "pending"
    """Registered, and not yet let in by an admin."""
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class User:
    """A person. `email` is normalised (`normal_email`); `password_hash` is argon2's own text."""

    id: str
    email: str
    name: str
    password_hash: str
    role: Role
    status: Status
    created_at: int
    version: int = 1
    """One more with every change."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a login began: a family of refresh tokens, of which only the newest is good."""

    id: str
    user_id: str
    refresh_hash: bytes
    """SHA-256 of the newest refresh token."""
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """A program. `id` is its OAuth client_id and the subject of its tokens."""

    id: str
    secret_hash: bytes
    """SHA-256 of the secret, which is random and long: nothing to guess."""
    scopes: tuple[str, ...]
    status: Status
    session: str
    """In its tokens; another one once what was issued so far is to be void."""
    created_at: int
    version: int = 1


def normal_email(email: str) -> str:
    """How an address is compared: case does not matter."""
    return email.strip().casefold()
