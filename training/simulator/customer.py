"""One customer: habits that last, and the little state that changes from day to day."""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass, field
from datetime import date
from random import Random

from training.simulator.geography import Country


@dataclass(frozen=True, slots=True)
class Merchant:
    """A counterparty that sells. `scale` is its price level against a customer's ordinary purchase."""

    id: str
    country: str
    category: str
    scale: float
    online: bool


@dataclass(slots=True)
class Trip:
    """A stay abroad, until day `until`."""

    country: str
    address: str
    until: int


@dataclass(slots=True)
class Standing:
    """A large payment that comes every month: rent, a loan, school fees."""

    counterparty: str
    euros: float
    day_of_month: int


@dataclass(slots=True)
class Customer:
    """Habits and state. Amounts in euros; days counted from the start of the simulation."""

    account_id: str
    card_token: str
    country: Country
    age: int
    opened: date
    opened_day: int
    daily_rate: float
    hours: list[float]
    """Cumulative weights of the 24 local hours."""
    log_typical: float
    spread: float
    channels: list[float]
    """Cumulative weights of pos, atm, mobile, web, api."""
    mobile_auth: str
    forgetful: float
    """Chance that a login starts with a mistyped secret."""
    wandering: float
    """Chance that a web session looks like a new device (cleared cookies, private windows)."""
    hidden: float
    """Chance that a web session comes through a tunnel from another country."""
    phone: str
    computer: str
    home: str
    income: float
    payday: int
    balance: float
    standing: Standing | None
    business: bool
    favourites: list[Merchant] = field(default_factory=list)
    favourite_weights: list[float] = field(default_factory=list)
    friends: list[str] = field(default_factory=list)
    shared_device: str | None = None
    trip: Trip | None = None
    troubled_until: float = 0.0
    """Until this time the customer still struggles with logging in on a new phone."""

    def typical(self) -> float:
        """The customer's ordinary amount in euros."""
        return math.exp(self.log_typical)

    def amount(self, rng: Random, scale: float = 1.0) -> float:
        """An ordinary amount in euros at a merchant of this price level."""
        return scale * math.exp(rng.gauss(self.log_typical, self.spread))

    def moment(self, rng: Random, day_start: float) -> float:
        """A time of this (UTC) day at which the customer is usually active."""
        hour = bisect(self.hours, rng.random() * self.hours[-1])
        return day_start + 3600 * ((hour - self.country.utc_offset) % 24 + rng.random())

    def where(self) -> str:
        """The country the customer is in now."""
        return self.trip.country if self.trip else self.country.code

    def favourite(self, rng: Random) -> Merchant:
        """One of the usual merchants, the more used ones more often."""
        return self.favourites[bisect(self.favourite_weights, rng.random() * self.favourite_weights[-1])]
