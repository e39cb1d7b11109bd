"""What is kept of an account, and how it changes. Pure. Times in microseconds since the epoch.

Messages come late, twice and out of order. So an account keeps the newest freeze, the newest release and the newest
freeze that card management has confirmed, each by the moment of its cause, and its state follows from the three:
whatever the order, the end is the same, and what is older never undoes what is newer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from assay.schemas.stages import Reason


class AccountState(StrEnum):
    """Of an account, at a moment."""

    ACTIVE = "active"
    """Nothing is known against it, or its freeze has ended by itself."""
    FROZEN = "frozen"
    """Its transactions are declined; card management has not confirmed yet."""
    BLOCKED = "blocked"
    """Its transactions are declined, and card management has confirmed."""
    RELEASED = "released"
    """A person has ended its freeze."""


FOR_EVER = 2**63 - 1
"""A moment that does not come."""
IN_EFFECT = frozenset({AccountState.FROZEN, AccountState.BLOCKED})
"""States in which an account's transactions are declined."""


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """The declined transaction that a freeze is about. Causes are ordered by their moments; ids settle equal ones."""

    decided_at: int
    client_id: str
    transaction_id: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """Why an account's transactions are declined, and until when (None: until somebody releases it)."""

    cause: Cause
    until: int | None
    reasons: tuple[Reason, ...]
    """The principal reasons of the decision, for the analyst and for the customer."""

    def is_over(self, now: int) -> bool:
        """Whether it has ended by itself."""
        return self.until is not None and self.until <= now


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """Somebody ended every freeze whose cause is not newer than this."""

    at: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `version` is one more with every change; 0: nothing is kept about it."""

    id: str
    version: int = 0
    freeze: Freeze | None = None
    confirmed: Cause | None = None
    """Of the freeze that card management has confirmed."""
    release: Release | None = None

    @property
    def in_force(self) -> Freeze | None:
        """The freeze that nobody has released. Its time may be over."""
        if self.freeze is None or self.release is None or self.freeze.cause.decided_at > self.release.at:
            return self.freeze
        return None

    @property
    def denied_until(self) -> int | None:
        """Until then its transactions are declined. None: they are not."""
        freeze = self.in_force
        if freeze is None:
            return None
        return FOR_EVER if freeze.until is None else freeze.until

    def state(self, now: int) -> AccountState:
        """At this moment."""
        freeze = self.in_force
        if freeze is None:
            return AccountState.ACTIVE if self.release is None else AccountState.RELEASED
        if freeze.is_over(now):
            return AccountState.ACTIVE
        return AccountState.BLOCKED if self.confirmed == freeze.cause else AccountState.FROZEN


def frozen(account: Account, freeze: Freeze) -> Account:
    """With this freeze, unless the one it has is newer."""
    if account.freeze is not None and freeze.cause <= account.freeze.cause:
        return account
    return replace(account, freeze=freeze, version=account.version + 1)


def confirmed(account: Account, cause: Cause) -> Account:
    """Card management has done what the freeze with this cause needed, unless it has confirmed a newer one."""
    if account.confirmed is not None and cause <= account.confirmed:
        return account
    return replace(account, confirmed=cause, version=account.version + 1)


def released(account: Account, release: Release) -> Account:
    """With this release, unless the one it has is newer."""
    if account.release is not None and release <= account.release:
        return account
    return replace(account, release=release, version=account.version + 1)
