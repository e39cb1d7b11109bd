"""Field types of the public contracts. Strict: `"12"` and `true` are not amounts, a time has its zone."""

from __future__ import annotations

import csv
import re
import socket
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_AMOUNT = Decimal(10) ** 12
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MAPPED = "::ffff:"
"""Of an IPv6 address: all that is left of it is an IPv4 address."""
ZONE = re.compile(r"%[\w.-]+\Z", re.ASCII)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@cache
def currency_minor_units() -> dict[str, int]:
    """ISO 4217 code -> number of decimals of its minor unit."""
    text = files("assay.schemas").joinpath("currencies.csv").read_text("utf-8")
    return {row["code"]: int(row["minor_units"]) for row in csv.DictReader(text.splitlines())}


@cache
def country_codes() -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes."""
    text = files("assay.schemas").joinpath("countries.csv").read_text("utf-8")
    return frozenset(row["code"] for row in csv.DictReader(text.splitlines()))


def _decimal(value: Any) -> Any:  # noqa: ANN401 - raw JSON
    """Numbers only. A float's shortest spelling is exact for every amount that is in range."""
    if type(value) is Decimal:
        return value
    if type(value) is int:
        return Decimal(value)
    if type(value) is float:
        return Decimal(repr(value))
    raise PydanticCustomError("number_type", "Input should be a number")


def _plain_decimal(value: Decimal) -> int | float | str:
    """As a JSON number where that is exact; amounts below 10^12 with at most 3 decimals always are."""
    return int(value) if value == value.to_integral_value() else float(value)


def _timestamp(value: Any) -> Any:  # noqa: ANN401
    if type(value) is datetime:
        moment = value
    elif type(value) is str and RFC_3339.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            raise PydanticCustomError("timestamp", "Input should be a date and time that exists") from None
    else:
        raise PydanticCustomError("timestamp", "Input should be an RFC 3339 date and time with a zone")
    if moment.tzinfo is None:
        raise PydanticCustomError("timestamp", "Input should have a time zone")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("timestamp", "Input is out of range") from None
    if moment < EARLIEST:
        raise PydanticCustomError("timestamp", "Input should be in the year 2000 or later")
    return moment


def _date(value: Any) -> Any:  # noqa: ANN401
    if type(value) is str and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("date", "Input should be a date that exists") from None
    if type(value) is date:
        return value
    raise PydanticCustomError("date", "Input should be a date, YYYY-MM-DD")


def _ip_address(value: str) -> str:
    """The canonical spelling: one address is one key. The C library is ten times as fast as `ipaddress`.

    A zone (`fe80::1%eth0`) says something to the host that wrote it only, and goes; IPv4 inside IPv6 comes out of it.
    """
    family = socket.AF_INET
    if ":" in value:
        family, value = socket.AF_INET6, ZONE.sub("", value)
    try:
        canonical = socket.inet_ntop(family, socket.inet_pton(family, value))
    except (OSError, ValueError):
        raise PydanticCustomError("ip_address", "Input should be an IPv4 or IPv6 address") from None
    return canonical.removeprefix(MAPPED) if "." in canonical else canonical


def _known_currency(value: str) -> str:
    if value not in currency_minor_units():
        raise PydanticCustomError("currency", "Input should be an ISO 4217 currency code")
    return value


def _known_country(value: str) -> str:
    if value not in country_codes():
        raise PydanticCustomError("country", "Input should be an ISO 3166-1 alpha-2 country code")
    return value


Money = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(allow_inf_nan=False, le=MAX_AMOUNT, ge=-MAX_AMOUNT),
    PlainSerializer(_plain_decimal, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
Amount = Annotated[Money, Field(gt=0), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1e12})]
Timestamp = Annotated[datetime, BeforeValidator(_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})]
CalendarDate = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Currency = Annotated[str, StringConstraints(max_length=3), AfterValidator(_known_currency)]
Country = Annotated[str, StringConstraints(max_length=2), AfterValidator(_known_country)]
IpAddress = Annotated[str, StringConstraints(max_length=45), AfterValidator(_ip_address)]
