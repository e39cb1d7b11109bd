"""The items of the profile table: what is where, and what is in it.

    pk  A#<account>  V#<device>  I#<address>  C#<counterparty>
    sk  L#<arrival>#T#<client>#<transaction>    a transaction, in the log of each entity it touches
        L#<arrival>#E#<client>#<event>          a login attempt, in the log of its account
        R#<client>#<transaction>                a transaction under way, beside the log of its account
        U#<device>#<time>                       the account's first use of the device: the lowest of them
        F#<time>                                first sight of the device: the lowest of them
    pk  E#<client>#<event>, sk E                this login attempt is known

Times are microseconds since the epoch, padded with zeros to 16 digits. `arrival` is when the commit began, by the clock
of the process that made it. First uses and sights are known for ever: none is changed, a late event adds a lower one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.features.history import Kind
from assay.features.loading import REACH
from assay.features.transaction import Login, Transaction
from assay.features.windows import DAY, LATENESS, MINUTE, SECOND

Item = dict[str, dict[str, Any]]
"""An item, or the key of one, as DynamoDB's wire has it."""

AHEAD = 6 * MINUTE
"""No event's time is further ahead of its arrival than this: five minutes are let in, and clocks differ."""
PENDING = MINUTE
"""A reservation of a process that died counts for so long."""
LOGIN_KNOWN = 45 * DAY
KEPT: dict[Kind, int] = {kind: reach + LATENESS for kind, reach in REACH.items()} | {"account": 365 * DAY}
"""How long after their arrival events are kept. An account's for a year: one that was dormant is not a new one."""

_PARTITION: dict[Kind, str] = {"account": "A#", "device": "V#", "address": "I#", "counterparty": "C#"}
LOG, RESERVATION = "L#", "R#"
END = "S"
"""After every entry of a log and every reservation."""


@dataclass(slots=True)
class Row:
    """An event in the log of one entity: what the features need of it there. `success` is a login's, and only that."""

    time: int
    account: str | None = None
    amount: int | None = None
    counterparty: str | None = None
    country: str | None = None
    device: str | None = None
    fraud: bool | None = None
    success: bool | None = None


FIELDS = tuple(Row.__dataclass_fields__)


def stamp(moment: int) -> str:
    """A moment so that text sorts as time does."""
    return f"{moment:016d}"


def partition(kind: Kind, name: str) -> str:
    """The entity's pk."""
    return _PARTITION[kind] + name


def key(pk: str, sk: str) -> Item:
    """An item's key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def log_from(arrival: int) -> str:
    """Below the sk of everything that arrived then or later."""
    return LOG + stamp(max(0, arrival))


def arrival_of(sk: str) -> int:
    """When the entry of a log arrived."""
    return int(sk[2:18])


def event_of(sk: str) -> str:
    """What names the event in its entry as in its reservation."""
    return sk[len(RESERVATION) :] if sk.startswith(RESERVATION) else sk[19:]


def first_use(device: str) -> str:
    """Begins the sk of the account's first uses of the device."""
    return f"U#{device}#"


FIRST_SEEN = "F#"


def entities(tx: Transaction) -> dict[Kind, str]:
    """The entities that the transaction touches. Without an account none: nothing is counted for anybody."""
    named: dict[Kind, str | None] = {
        "account": tx.account,
        "device": tx.device,
        "address": tx.address,
        "counterparty": tx.counterparty,
    }
    return {} if tx.account is None else {kind: name for kind, name in named.items() if name is not None}


def entries(client_id: str, tx: Transaction, arrival: int) -> Iterator[Item]:
    """The transaction's entry in the log of every entity it touches."""
    rows: dict[Kind, Row] = {
        "account": Row(tx.time, amount=tx.amount, counterparty=tx.counterparty, country=tx.country),
        "device": Row(tx.time, account=tx.account),
        "address": Row(tx.time, account=tx.account),
        "counterparty": Row(tx.time),
    }
    for kind, name in entities(tx).items():
        place = counted_place(kind, name, client_id, tx.transaction_id, arrival)
        yield {**place, **_written(rows[kind]), **_expiry(arrival + KEPT[kind])}


def counted_place(kind: Kind, name: str, client_id: str, transaction_id: str, arrival: int) -> Item:
    """Key of a transaction's entry in the log of an entity."""
    return key(partition(kind, name), f"{log_from(arrival)}#T#{client_id}#{transaction_id}")


def subject(tx: Transaction, arrival: int) -> Item:
    """What is kept beside the decision, for labels: where the transaction is counted, and what it was about."""
    numbers = {"time": tx.time, "arrival": arrival, "amount": tx.amount}
    texts = {"account": tx.account, "device": tx.device, "counterparty": tx.counterparty}
    return {name: _attribute(value) for name, value in (numbers | texts).items() if value is not None}


def firsts(tx: Transaction) -> Iterator[tuple[str, str]]:
    """(pk, beginning of sk) of the first use and the first sight the transaction may be."""
    if tx.account is not None and tx.device is not None:
        yield partition("account", tx.account), first_use(tx.device)
        yield partition("device", tx.device), FIRST_SEEN


def reservation_key(client_id: str, tx: Transaction) -> Item:
    """The same for every attempt at the transaction. It must have an account."""
    return key(partition("account", tx.account or ""), f"{RESERVATION}T#{client_id}#{tx.transaction_id}")


def reservation(client_id: str, tx: Transaction, now: int) -> Item:
    """The transaction, under way."""
    row = Row(tx.time, amount=tx.amount, counterparty=tx.counterparty, country=tx.country, device=tx.device)
    until = {"pending_until": {"N": str(now + PENDING)}}
    return {**reservation_key(client_id, tx), **_written(row), **until, **_expiry(now + PENDING)}


def login_entry(client_id: str, login: Login, arrival: int) -> Item:
    """The attempt's entry in the log of its account."""
    sk = f"{log_from(arrival)}#E#{client_id}#{login.event_id}"
    row = Row(login.time, success=login.success)
    return {**key(partition("account", login.account), sk), **_written(row), **_expiry(arrival + KEPT["account"])}


def login_marker(client_id: str, login: Login, arrival: int) -> Item:
    """Says that the attempt is known."""
    return {**key(f"E#{client_id}#{login.event_id}", "E"), **_expiry(arrival + LOGIN_KNOWN)}


def read(item: Mapping[str, Mapping[str, Any]]) -> Row:
    """The event in an entry or a reservation."""
    return Row(**{name: _value(item[name]) for name in FIELDS if name in item})


def _written(row: Row) -> Item:
    values = ((name, getattr(row, name)) for name in FIELDS)
    return {name: _attribute(value) for name, value in values if value is not None}


def _attribute(value: bool | int | str) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _value(attribute: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a Row's fields
    ((kind, value),) = attribute.items()
    return int(value) if kind == "N" else value


def _expiry(moment: int) -> Item:
    return {"expires_at": {"N": str(moment // SECOND + 1)}}
