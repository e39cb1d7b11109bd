"""What customers and stories hand to the ledger: an intention, before it has an id, a currency and a balance."""

from __future__ import annotations

from dataclasses import dataclass

from training.simulator.customer import Customer


@dataclass(slots=True)
class Payment:
    """An intended transaction; `story` names the fraud it belongs to, None for an honest one."""

    time: float
    customer: Customer
    euros: float
    channel: str
    auth: str
    kind: str
    country: str
    device: str | None = None
    address: str | None = None
    counterparty: str | None = None
    category: str | None = None
    story: str | None = None


@dataclass(slots=True)
class Attempt:
    """An intended login."""

    time: float
    customer: Customer
    success: bool
    device: str | None = None
    address: str | None = None


Draft = Payment | Attempt
