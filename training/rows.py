"""One row of somebody's file, turned into a transaction, or into the reason why it is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from assay.errors import AssayError
from assay.features.rates import Rates
from assay.features.transaction import Transaction

MICROSECONDS = 1_000_000
LATEST = 253_402_300_799 * MICROSECONDS
"""The last second of the year 9999."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE = _EPOCH.replace(tzinfo=None)
"""For times without a zone, which are taken as UTC."""
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Which column holds what; None where the file has no such column.

    `constants` gives values for fields without a column, by field name (`currency`, `channel`, `auth_method`, ...).
    Times are RFC 3339, or naive ones taken as UTC, or numbers: seconds since the epoch.
    """

    account: str
    time: str
    amount: str
    transaction_id: str | None = None
    counterparty: str | None = None
    device: str | None = None
    address: str | None = None
    country: str | None = None
    currency: str | None = None
    channel: str | None = None
    auth_method: str | None = None
    opened: str | None = None
    balance_before: str | None = None
    label: str | None = None
    label_known_at: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> dict[str, str]:
        """Field name -> column name, for the fields that have a column."""
        named = ((part.name, getattr(self, part.name)) for part in fields(self) if part.name != "constants")
        return {name: column for name, column in named if column is not None}


@dataclass(slots=True)
class LabelledTransaction:
    """A transaction of the file; `line` counts from 1 without the header in Parquet, as lines of the file in CSV.

    `label` is None when the file has no label for it. `label_time`, microseconds since the epoch, is when it arrived:
    None when the file does not say.
    """

    line: int
    transaction: Transaction
    label: bool | None
    label_time: int | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no transaction, and why. It names the field, never its content."""

    line: int
    reason: str


class DatasetError(AssayError):
    """A file that cannot be read as transactions at all. The message names what is missing."""


class _UnusableError(ValueError):
    """One value of a row cannot be used; the text names the field."""


class RowParser:
    """Turns one row's raw values into a transaction.

    A replay spends a third of its time here: a row costs what its columns cost, and constants nothing.
    """

    def __init__(self, mapping: ColumnMapping, rates: Rates) -> None:
        """Raises `DatasetError` for a constant that cannot be used."""
        self._columns = [(name, _READERS[name]) for name in mapping.columns()]
        self._others = {**dict.fromkeys(_READERS), **_constants(mapping)}
        self._rates = rates

    def row(self, line: int, values: tuple[Any, ...]) -> LabelledTransaction | BadRow:
        """`values` are in the order of the mapping's columns."""
        found = self._others.copy()
        try:
            for (name, read), value in zip(self._columns, values, strict=True):
                found[name] = read(name, value)
        except _UnusableError as problem:
            return BadRow(line, str(problem))
        return LabelledTransaction(line, self._transaction(line, found), found["label"], found["label_known_at"])

    def _transaction(self, line: int, found: dict[str, Any]) -> Transaction:
        currency, balance = found["currency"] or "unknown", found["balance_before"]
        return Transaction(
            transaction_id=found["transaction_id"] or f"row-{line}",
            time=found["time"],
            account=found["account"],
            amount=self._rates.to_base_scaled(found["amount"], currency),
            currency=currency,
            channel=found["channel"] or "unknown",
            auth_method=found["auth_method"] or "unknown",
            country=found["country"],
            device=found["device"],
            address=found["address"],
            counterparty=found["counterparty"],
            opened=found["opened"],
            balance_before=None if balance is None else self._rates.to_base_scaled(balance, currency),
        )


def _constants(mapping: ColumnMapping) -> dict[str, Any]:
    found = {}
    for name, value in mapping.constants.items():
        if name not in _READERS:
            raise DatasetError(f"constants: no field {name!r}; there are {', '.join(_READERS)}")
        try:
            found[name] = _READERS[name](name, value)
        except _UnusableError as problem:
            raise DatasetError(f"constants: {problem}") from None
    return found


def _text(_: str, value: object) -> str | None:
    return None if value is None else str(value).strip() or None


def _required(name: str, value: object) -> str:
    text = _text(name, value)
    if text is None:
        raise _UnusableError(f"{name}: missing")
    return text


def _amount(name: str, value: object) -> float:
    amount = _number(name, value)
    if amount < 0:
        raise _UnusableError(f"{name}: below 0")
    return amount


def _balance(name: str, value: object) -> float | None:
    return None if value is None else _number(name, value)


def _number(name: str, value: object) -> float:
    if value is None:
        raise _UnusableError(f"{name}: missing")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise _UnusableError(f"{name}: not a number") from None
    if not math.isfinite(number) or abs(number) > 1e12:
        raise _UnusableError(f"{name}: not a finite number up to 10^12")
    return number


def _known_time(name: str, value: object) -> int | None:
    return None if value is None else _time(name, value)


def _time(name: str, value: object) -> int:
    """Microseconds since the epoch."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif isinstance(value, int | float):
        return _from_seconds(name, value)
    else:
        text = _required(name, value)
        if text.isdecimal() and len(text) != len("20260131"):  # thirteen digits would also pass as a date and a time
            return _from_seconds(name, _number(name, text))
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return _from_seconds(name, _number(name, text))
    return (moment - (_NAIVE if moment.tzinfo is None else _EPOCH)) // _MICROSECOND


def _from_seconds(name: str, seconds: float) -> int:
    if not math.isfinite(seconds) or not 0 <= seconds * MICROSECONDS <= LATEST:
        raise _UnusableError(f"{name}: not seconds since the epoch")
    return round(seconds * MICROSECONDS)


_LABELS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def _label(name: str, value: object) -> bool | None:
    text = _text(name, value)
    if text is None:
        return None
    try:
        return _LABELS[text.lower()]
    except KeyError:
        raise _UnusableError(f"{name}: neither 0 / 1 nor true / false") from None


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "transaction_id": _text,
    "account": _required,
    "time": _time,
    "amount": _amount,
    "counterparty": _text,
    "device": _text,
    "address": _text,
    "country": _text,
    "currency": _text,
    "channel": _text,
    "auth_method": _text,
    "opened": _known_time,
    "balance_before": _balance,
    "label": _label,
    "label_known_at": _known_time,
}
"""How a value of each field of a mapping is read."""
