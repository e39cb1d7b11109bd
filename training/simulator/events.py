"""What the simulator emits: transactions and logins as plain values, and their shapes for the API and the features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from assay.features.rates import Rates
from assay.features.transaction import Login, Transaction

MICROSECONDS = 1_000_000


@dataclass(slots=True)
class SimulatedTransaction:
    """One transaction with what only the simulator knows: `label`, `story` and `label_time`. Not frozen: a frozen one
    takes three times as long to make.

    `time` and `label_time` are in whole seconds since the epoch, amounts in `currency`.
    `label` is the truth. `label_time` is when the bank learns of a fraud: None for honest transactions, and for
    the frauds nobody ever reports.
    """

    transaction_id: str
    account_id: str
    time: int
    amount: float
    currency: str
    channel: str
    auth_method: str
    transaction_type: str
    geo_country: str
    device_id: str | None
    ip_address: str | None
    counterparty_id: str | None
    merchant_category: str | None
    card_token: str | None
    balance_before: float | None
    balance_after: float | None
    customer_age: int
    account_opened_at: date
    label: bool
    story: str | None
    label_time: int | None


@dataclass(slots=True)
class SimulatedLogin:
    """One login attempt; `time` in whole seconds since the epoch."""

    event_id: str
    account_id: str
    success: bool
    time: int
    device_id: str | None
    ip_address: str | None


Event = SimulatedTransaction | SimulatedLogin

_HIDDEN = frozenset({"time", "label", "story", "label_time"})
_SENT = tuple(name for name in SimulatedTransaction.__slots__ if name not in _HIDDEN)


def as_request(tx: SimulatedTransaction) -> dict[str, Any]:
    """The JSON body of `POST /score`. What only the simulator knows is not in it; unknown values are left out."""
    body: dict[str, Any] = {name: value for name in _SENT if (value := getattr(tx, name)) is not None}
    body["account_opened_at"] = tx.account_opened_at.isoformat()
    body["occurred_at"] = rfc_3339(tx.time)
    return body


def as_login(login: SimulatedLogin) -> dict[str, Any]:
    """The JSON body of `POST /events/logins`."""
    body: dict[str, Any] = {
        "event_id": login.event_id,
        "account_id": login.account_id,
        "outcome": "success" if login.success else "failure",
        "occurred_at": rfc_3339(login.time),
    }
    if login.device_id is not None:
        body["device_id"] = login.device_id
    if login.ip_address is not None:
        body["ip_address"] = login.ip_address
    return body


def as_transaction(tx: SimulatedTransaction, rates: Rates) -> Transaction:
    """What the features see of it: the amounts in the base currency, as the orchestrator would convert them."""
    before = tx.balance_before
    return Transaction(
        transaction_id=tx.transaction_id,
        time=tx.time * MICROSECONDS,
        account=tx.account_id,
        amount=rates.to_base_scaled(tx.amount, tx.currency),
        currency=tx.currency,
        channel=tx.channel,
        auth_method=tx.auth_method,
        country=tx.geo_country,
        device=tx.device_id,
        address=tx.ip_address,
        counterparty=tx.counterparty_id,
        opened=(tx.account_opened_at.toordinal() - _EPOCH) * 86400 * MICROSECONDS,
        balance_before=None if before is None else rates.to_base_scaled(before, tx.currency),
    )


def as_seen_login(login: SimulatedLogin) -> Login:
    """What the features see of a login attempt."""
    return Login(login.event_id, login.time * MICROSECONDS, login.account_id, login.success)


_EPOCH = date(1970, 1, 1).toordinal()


def rfc_3339(seconds: int) -> str:
    """Seconds since the epoch as the API takes them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
