"""What the features see of an event: plain values, already converted to the base currency."""

from __future__ import annotations

from dataclasses import dataclass

MONEY_SCALE = 10_000
"""Amounts are integers, base currency x 10,000: their sums are exact, in whatever order they arrive."""


@dataclass(slots=True)
class Transaction:
    """One transaction. Not frozen: a replay makes millions, and a frozen one takes three times as long to make.

    Times are microseconds since the epoch, UTC; amounts are base currency x MONEY_SCALE.
    """

    transaction_id: str
    time: int
    account: str | None
    """None: nothing can be counted for anybody (seed B's flat body)."""
    amount: int | None
    """None: no rate is known for the currency."""
    currency: str
    channel: str
    auth_method: str
    country: str | None = None
    device: str | None = None
    address: str | None = None
    counterparty: str | None = None
    opened: int | None = None
    """When the account was opened, microseconds since the epoch."""
    balance_before: int | None = None


@dataclass(slots=True)
class Login:
    """One login attempt of an account, at `time` in microseconds since the epoch."""

    event_id: str
    time: int
    account: str
    success: bool
