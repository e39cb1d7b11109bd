"""Good bodies of every shape, and how a case of bad input is told: what is sent, which field must be named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assay.schemas.login import LoginEvent
from assay.schemas.transaction import FlatTransaction, GivenFeatures, TransactionRequest

MARK = "sensitive-7c1f"
"""Stands for every value that must not come back."""

SCORE: dict[str, Any] = {
    "transaction_id": "bad-input",
    "account_id": "acct-bad-input",
    "occurred_at": "2026-03-01T12:00:00Z",
    "amount": 24.9,
    "currency": "EUR",
    "channel": "mobile",
    "auth_method": "biometric",
    "transaction_type": "payment",
    "geo_country": "DE",
    "device_id": "phone-1",
    "ip_address": "192.0.2.17",
    "counterparty_id": "bakery-12",
    "merchant_category": "5462",
    "card_token": "tok_1",
    "balance_before": 1840.55,
    "balance_after": 1815.65,
    "customer_age": 41,
    "account_opened_at": "2019-03-04",
    "features": dict.fromkeys(GivenFeatures.model_fields, 0),
}
FLAT: dict[str, Any] = {
    **dict.fromkeys(FlatTransaction.model_fields, 0),
    "transaction_id": "bad-flat",
    "amount": 95,
    "channel": "mobile",
    "auth_method": "biometric",
    "geo_country": "GH",
    "currency": "GHS",
}
LOGIN: dict[str, Any] = {
    "event_id": "bad-login",
    "account_id": "acct-bad-input",
    "outcome": "failure",
    "occurred_at": "2026-03-01T12:00:00Z",
    "device_id": "browser-1",
    "ip_address": "198.51.100.23",
}
SHAPES = {"score": SCORE, "flat": FLAT, "login": LOGIN}
MODELS = {"score": TransactionRequest, "flat": FlatTransaction, "login": LoginEvent}


@dataclass(frozen=True, slots=True)
class Case:
    """A body for one of the shapes; `fields` must be named in the answer, `secrets` must not be in it."""

    name: str
    shape: str
    body: bytes
    fields: tuple[str, ...] = ()
    secrets: tuple[str, ...] = (MARK,)
    statuses: tuple[int, ...] = (400, 422)

    @property
    def path(self) -> str:
        """Where it is sent to."""
        return "/events/logins" if self.shape == "login" else "/score"


def encoded(document: object) -> bytes:
    """Plain JSON."""
    return json.dumps(document).encode()


def changed(shape: str, name: str, value: object) -> dict[str, Any]:
    """The shape with one field changed; `features.x` is a field of the inner object."""
    document = dict(SHAPES[shape])
    outer, _, inner = name.partition(".")
    if inner:
        document[outer] = {**document[outer], inner: value}
    else:
        document[outer] = value
    return document


def paths(shape: str) -> Iterator[tuple[str, Any]]:
    """Every field with its good value, inner ones dotted."""
    for name, value in SHAPES[shape].items():
        yield name, value
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", of_it) for inner, of_it in value.items())


def texts(shape: str) -> Iterator[str]:
    """Every field that holds text."""
    return (name for name, value in paths(shape) if isinstance(value, str))


def numbers(shape: str) -> Iterator[str]:
    """Every field that holds a number."""
    return (name for name, value in paths(shape) if isinstance(value, (int, float)))
