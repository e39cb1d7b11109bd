"""Requests as callers send them: thousands of accounts, each with its own habits, few rules to fire.

A blocked transaction skips the models and would flatter the figures, so every account keeps its device, address and
country, and pays hours apart, in increasing order of time over the last days. A few payments in a hundred are out of
habit (a new device, another country, an amount many times the usual one): rules flag them, and they cost more, because
their verdicts carry reasons.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Kind = Literal["transaction", "flat"]
ACCOUNTS = 4000
COUNTERPARTIES = 2500
ROUND = timedelta(hours=2)
COUNTRIES = ("DE", "FR", "NL", "IT", "ES", "AT", "BE", "PT", "IE", "FI")
WAYS = (("mobile", "biometric"), ("mobile", "pin"), ("web", "otp"), ("web", "password"), ("pos", "pin"))


@dataclass(frozen=True, slots=True)
class Habit:
    """What an account usually does."""

    account: str
    device: str
    address: str
    country: str
    typical_amount: float


def habits(accounts: int = ACCOUNTS) -> list[Habit]:
    """The same accounts for the same number, in every run."""
    rng = random.Random(17)
    return [
        Habit(
            account=f"acct-{number}",
            device=f"dev-{number}",
            address=f"198.18.{number // 250 % 256}.{number % 250 + 1}",
            country=rng.choice(COUNTRIES),
            typical_amount=rng.uniform(12, 90),
        )
        for number in range(accounts)
    ]


def moment(index: int, accounts: int, start: datetime) -> datetime:
    """When transaction `index` happened: one of each account per two hours, one after the other."""
    return start + ROUND * (index / accounts)


def transaction_bodies(
    count: int, first: int = 0, accounts: int = ACCOUNTS, start: datetime | None = None, prefix: str = "b"
) -> Iterator[bytes]:
    """JSON bodies of `POST /score`, numbers `first` onwards; ids are unique for one prefix."""
    start = start or run_start()
    people = habits(accounts)
    rng = random.Random(first)
    for index in range(first, first + count):
        who = people[index % accounts]
        channel, auth_method = rng.choice(WAYS)
        amount = round(who.typical_amount * rng.lognormvariate(0, 0.25), 2)
        country, device = who.country, who.device
        unusual = rng.random()
        if unusual < 0.01:
            device = f"new-{index}"
        elif unusual < 0.02:
            amount = round(who.typical_amount * rng.uniform(7, 11), 2)
        elif unusual < 0.025:
            country = rng.choice(COUNTRIES)
        yield (
            f'{{"transaction_id":"{prefix}-{index}","account_id":"{who.account}",'
            f'"occurred_at":"{moment(index, accounts, start).isoformat(timespec="milliseconds")}",'
            f'"amount":{amount},"currency":"EUR","channel":"{channel}","auth_method":"{auth_method}",'
            f'"geo_country":"{country}","device_id":"{device}","ip_address":"{who.address}",'
            f'"counterparty_id":"shop-{rng.randrange(COUNTERPARTIES)}","transaction_type":"payment"}}'
        ).encode()


def run_start() -> datetime:
    """Six days ago, to the hour: room for 70 rounds before the present."""
    return (datetime.now(UTC) - timedelta(days=6)).replace(minute=0, second=0, microsecond=0)


def flat_bodies(count: int, first: int = 0) -> Iterator[bytes]:
    """Seed B's flat 17-field bodies, of ordinary behaviour: no BLOCK rule fires."""
    rng = random.Random(first)
    for _ in range(count):
        amount = round(rng.lognormvariate(4.2, 0.5), 2)
        average = round(rng.lognormvariate(4.2, 0.2), 2)
        yield (
            f'{{"tx_count_last_5m":1,"tx_count_last_1h":{rng.randrange(1, 4)},"tx_frequency_ratio":0.75,'
            f'"amount":{amount},"avg_tx_amount_7d":{average},"amount_to_avg_ratio":{amount / (average + 1):.4f},'
            f'"new_device_flag":0,"device_seen_before":1,"country_mismatch_flag":0,'
            f'"accounts_per_device":{rng.randrange(1, 4)},"accounts_per_ip_24h":{rng.randrange(1, 3)},'
            f'"failed_login_count_last_1h":{rng.randrange(0, 2)},"failed_logins_then_success":0,'
            f'"channel":"mobile","auth_method":"otp","geo_country":"GH","currency":"GHS"}}'
        ).encode()


def bodies(kind: Kind, count: int, first: int = 0, accounts: int = ACCOUNTS) -> Iterator[bytes]:
    """Bodies of either shape."""
    return flat_bodies(count, first) if kind == "flat" else transaction_bodies(count, first, accounts)
