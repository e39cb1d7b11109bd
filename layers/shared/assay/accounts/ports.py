"""What accounts need from outside, as Protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from assay.accounts.orders import CardOrder
from assay.accounts.records import Account
from assay.features.windows import DAY
from assay.schemas.event import Event

KEPT = 90 * DAY
"""How long actions are kept, and orders that are over. The audit log keeps the decisions and what came of them."""


class Effect(StrEnum):
    """What became of a scored transaction."""

    NONE = "none"
    """Approved: there is nothing to do."""
    DECLINED = "declined"
    """Only declined: no row of the policy freezes for it."""
    FROZEN = "frozen"
    """Its account was frozen."""
    LATE = "late"
    """It would have frozen, had nothing newer happened to the account, or had its time not been over."""


@dataclass(frozen=True, slots=True)
class Action:
    """The record of it, one per transaction."""

    client_id: str
    transaction_id: str
    effect: Effect
    at: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is committed together: the account in the place of its version before, and what follows."""

    account: Account
    event: Event | None = None
    """None: the state is what it was."""
    orders: tuple[CardOrder, ...] = ()
    """They take the place of the account's older ones that are not done."""
    action: Action | None = None


class AccountStore(Protocol):
    """Accounts by id. Every method raises `StorageError`."""

    async def get(self, account_id: str) -> Account:
        """The account; of version 0 when nothing is kept about it."""
        ...

    async def change(self, change: Change) -> bool:
        """Commits all of it, or nothing. False when the account was changed meanwhile."""
        ...

    async def record(self, actions: Sequence[Action]) -> None:
        """Keeps those whose transactions have none yet."""
        ...


class CardOrderStore(Protocol):
    """Orders that wait for card management. Every method raises `StorageError`."""

    async def claim(self, now: int, until: int, limit: int) -> list[CardOrder]:
        """Pending orders that are due, oldest first. Each is nobody else's until `until`, and counts an attempt.

        None while an older order of its account is claimed: what is on its way must not overtake.
        """
        ...

    async def settle(self, order: CardOrder, event: Event | None = None) -> None:
        """Keeps what became of a claimed order, with the event about it, and ends the claim.

        Nothing is kept of one that was claimed again or dropped meanwhile.
        """
        ...

    async def redrive(self, now: int) -> int:
        """Makes dead orders pending and due, with no attempts, each with an event `card_order.redriven`; how many."""
        ...


class Outcome(StrEnum):
    """How an attempt at an order ended."""

    DONE = "done"
    RETRY = "retry"
    """Worth another attempt with the same id."""
    REFUSED = "refused"
    """The same order would be refused again."""
    NEEDLESS = "needless"
    """There is nobody to tell."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What card management answered."""

    outcome: Outcome
    reason: str = ""
    """A few words, nothing of what was sent or received."""
    wait_s: float = 0.0
    """No sooner than that, as it asked."""


class CardManagement(Protocol):
    """The bank's card system."""

    async def carry_out(self, order: CardOrder) -> Answer:
        """One attempt. Repeated with the same order, it is in effect once. Raises for nothing that it meets."""
        ...
