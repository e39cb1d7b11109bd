"""What card management is told to do: one order per effect, the same bytes and the same id however often it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from pydantic_core import to_json

from assay.accounts.records import Account, Cause, Freeze
from assay.moments import moment
from assay.schemas.event import SYSTEM, Event


class OrderKind(StrEnum):
    """Of an order."""

    BLOCK = "block"
    UNBLOCK = "unblock"


class OrderState(StrEnum):
    """Of an order."""

    PENDING = "pending"
    """To be carried out when it is due and nobody has claimed it."""
    DONE = "done"
    DEAD = "dead"
    """Given up. `redrive` makes it pending again."""
    DROPPED = "dropped"
    """Not needed any more: a newer order of the account took its place, or the freeze is over."""


@dataclass(frozen=True, slots=True)
class CardOrder:
    """One order about the cards of an account. Times in microseconds since the epoch."""

    id: str
    """Also the idempotency key."""
    account_id: str
    kind: OrderKind
    sequence: int
    """Of the account's orders: a higher one is newer."""
    cause: Cause
    """Of the freeze that the order begins or ends."""
    until: int | None
    """The freeze's own end: a block is pointless after it."""
    body: bytes = field(repr=False)
    """JSON, as it is sent."""
    due_at: int
    state: OrderState = OrderState.PENDING
    attempts: int = 0
    """Begun so far, the one under way included."""
    error: str = ""
    """Why the last attempt failed: a few words, no value."""

    def is_pointless(self, now: int) -> bool:
        """Whether nothing would come of it: it blocks, and the freeze has ended by itself."""
        return self.kind is OrderKind.BLOCK and self.until is not None and self.until <= now


def died(order: CardOrder) -> Event:
    """`card_order.dead`: it was given up."""
    return _event("card_order.dead", order, reason=order.error)


def redriven(order: CardOrder) -> Event:
    """`card_order.redriven`: an operator has it tried again."""
    return _event("card_order.redriven", order)


def freezing(account: Account, freeze: Freeze, now: int) -> tuple[CardOrder, ...]:
    """Orders after the account was frozen: a block now and, when the freeze ends by itself, the opposite then."""
    block = _order(account, freeze, OrderKind.BLOCK, 2 * account.version, now, now)
    if freeze.until is None:
        return (block,)
    return block, _order(account, freeze, OrderKind.UNBLOCK, 2 * account.version + 1, freeze.until, now)


def releasing(account: Account, freeze: Freeze, now: int) -> tuple[CardOrder, ...]:
    """Orders after the account's freeze was released."""
    return (_order(account, freeze, OrderKind.UNBLOCK, 2 * account.version, now, now),)


def _event(name: str, order: CardOrder, **data: str) -> Event:
    cause = {"client_id": order.cause.client_id, "transaction_id": order.cause.transaction_id}
    return Event.now(name, SYSTEM, order_id=order.id, kind=order.kind, account_id=order.account_id, **cause, **data)


def _order(account: Account, freeze: Freeze, kind: OrderKind, sequence: int, due_at: int, now: int) -> CardOrder:
    cause = freeze.cause
    named = (kind, account.id, str(sequence), cause.client_id, cause.transaction_id)
    id_ = f"ord_{sha256(chr(0).join(named).encode()).hexdigest()[:32]}"
    data = {
        "order_id": id_,
        "account_id": account.id,
        "sequence": sequence,
        "until": None if freeze.until is None else moment(freeze.until),
        "cause": {"client_id": cause.client_id, "transaction_id": cause.transaction_id},
        "reasons": [{"code": reason.code, "customer_text": reason.customer_text} for reason in freeze.reasons],
    }
    body = to_json({"type": f"cards.{kind}", "timestamp": moment(now), "data": data})
    return CardOrder(id_, account.id, kind, sequence, cause, freeze.until, body, due_at)
