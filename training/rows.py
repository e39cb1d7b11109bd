"""One row of somebody's file, turned into a transaction, or into the reason why it is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any

from assay.features.rates import Rates
from assay.features.transaction import Transaction

MICROSECONDS = 1_000_000
LATEST = 253_402_300_799 * MICROSECONDS
"""The last second of the year 9999."""


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


class _UnusableError(ValueError):
    """One value of a row cannot be used; the text names the field."""


class RowParser:
    """Turns one row's raw values into a transaction."""

    def __init__(self, mapping: ColumnMapping, rates: Rates) -> None:
        self._names = tuple(mapping.columns())
        self._constants = {**dict.fromkeys(part.name for part in fields(ColumnMapping)), **mapping.constants}
        self._rates = rates

    def row(self, line: int, values: tuple[Any, ...]) -> LabelledTransaction | BadRow:
        """`values` are in the order of the mapping's columns."""
        raw = {**self._constants, **dict(zip(self._names, values, strict=True))}
        try:
            known = None if raw["label_known_at"] is None else _time("label_known_at", raw["label_known_at"])
            return LabelledTransaction(line, self._transaction(line, raw), _label(raw["label"]), known)
        except _UnusableError as problem:
            return BadRow(line, str(problem))

    def _transaction(self, line: int, raw: dict[str, Any]) -> Transaction:
        currency = _text(raw["currency"]) or "unknown"
        amount = _number("amount", raw["amount"])
        if amount < 0:
            raise _UnusableError("amount: below 0")
        return Transaction(
            transaction_id=_text(raw["transaction_id"]) or f"row-{line}",
            time=_time("time", raw["time"]),
            account=_required("account", raw["account"]),
            amount=self._rates.to_base_scaled(amount, currency),
            currency=currency,
            channel=_text(raw["channel"]) or "unknown",
            auth_method=_text(raw["auth_method"]) or "unknown",
            country=_text(raw["country"]),
            device=_text(raw["device"]),
            address=_text(raw["address"]),
            counterparty=_text(raw["counterparty"]),
            opened=None if raw["opened"] is None else _time("opened", raw["opened"]),
            balance_before=self._balance(raw["balance_before"], currency),
        )

    def _balance(self, value: object, currency: str) -> int | None:
        return None if value is None else self._rates.to_base_scaled(_number("balance_before", value), currency)


def _text(value: object) -> str | None:
    return None if value is None else str(value).strip() or None


def _required(name: str, value: object) -> str:
    text = _text(value)
    if text is None:
        raise _UnusableError(f"{name}: missing")
    return text


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
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * MICROSECONDS)


def _from_seconds(name: str, seconds: float) -> int:
    if not math.isfinite(seconds) or not 0 <= seconds * MICROSECONDS <= LATEST:
        raise _UnusableError(f"{name}: not seconds since the epoch")
    return round(seconds * MICROSECONDS)


_LABELS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def _label(value: object) -> bool | None:
    text = _text(value)
    if text is None:
        return None
    try:
        return _LABELS[text.lower()]
    except KeyError:
        raise _UnusableError("label: neither 0 / 1 nor true / false") from None
