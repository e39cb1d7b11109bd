"""Everything that exists before the first event: merchants, addresses, customers, households, agents."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from training.simulator import geography
from training.simulator.customer import Customer, Merchant, Standing

# category -> (price level, sold online too, share of merchants)
CATEGORIES: dict[str, tuple[float, bool, float]] = {
    "grocery": (0.9, False, 0.24),
    "restaurant": (0.7, False, 0.18),
    "transit": (0.25, True, 0.08),
    "fuel": (1.3, False, 0.07),
    "clothing": (1.6, True, 0.12),
    "digital": (0.35, True, 0.10),
    "electronics": (3.5, True, 0.06),
    "travel": (4.5, True, 0.05),
    "health": (1.0, False, 0.06),
    "marketplace": (1.2, True, 0.04),
}
LIKED_HOURS = (1, 0.6, 0.4, 0.3, 0.3, 0.6, 2, 5, 7, 7, 7, 8, 10, 9, 7, 7, 8, 10, 10, 9, 8, 6, 4, 2)


class World:
    """The customers, merchants and addresses of one seed, and the numbering of what comes later."""

    def __init__(self, seed: int, customers: int, start: datetime) -> None:
        self.rng = Random(f"{seed}:world")
        self.tag = f"{chr(97 + seed % 26)}{chr(97 + seed // 26 % 26)}"
        self.start = start
        self.start_seconds = start.timestamp()
        self._numbers = {"device": 0, "person": 0, "line": 0, "public": 0, "account": 0}
        self.merchants = {country.code: self._merchants(country, customers) for country in geography.COUNTRIES}
        carriers = max(2, round(customers * 0.09))
        self.carriers = {c.code: self._pool(carriers, c.share, geography.carrier_address) for c in geography.COUNTRIES}
        hotspots = max(2, round(customers * 0.012))
        self.hotspots = {c.code: self._pool(hotspots, c.share, self._public) for c in geography.COUNTRIES}
        self.agents = {
            c.code: [self.device() for _ in range(2 + round(customers * c.share / 16))] for c in MOBILE_MONEY
        }
        self.customers = [self._customer() for _ in range(customers)]
        self._befriend()
        self._form_households()

    def number(self, kind: str) -> int:
        """The next free number of a kind."""
        self._numbers[kind] += 1
        return self._numbers[kind]

    def device(self) -> str:
        """A device nobody has used before."""
        return f"d-{self.number('device'):06d}-{self.tag}"

    def person(self) -> str:
        """Somebody outside the bank who can be paid."""
        return f"p-{self.number('person'):06d}-{self.tag}"

    def line(self) -> str:
        """The address of a household's line."""
        return geography.home_address(self.number("line") * 40503 & 0xFFFFFF)

    def public(self) -> str:
        """A fresh address of a hotel, a proxy or an attacker."""
        return self._public(0)

    def day_of(self, seconds: float) -> int:
        """Days since the start of the simulation."""
        return int((seconds - self.start_seconds) // 86400)

    def new_account(self, rng: Random, day: int) -> Customer:
        """An account opened a few days before `day`; it is not one of the honest customers."""
        customer = self._customer(rng)
        customer.opened_day = day - rng.randint(3, 60)
        customer.opened = (self.start + timedelta(days=customer.opened_day)).date()
        return customer

    def _public(self, _: int) -> str:
        return geography.public_address(self.number("public") * 7919 & 0x1FFFF)

    def _pool(self, total: int, share: float, address: Callable[[int], str]) -> list[str]:
        """A country's share of shared addresses."""
        base = self.number("line") << 14
        return [address(base + index) for index in range(max(2, round(total * share)))]

    def _merchants(self, country: geography.Country, customers: int) -> tuple[list[Merchant], list[float]]:
        """The country's merchants and their cumulative popularity (Zipf)."""
        rng = self.rng
        names = list(CATEGORIES)
        shares = [CATEGORIES[name][2] for name in names]
        merchants = []
        for index in range(25 + round(customers * country.share / 4)):
            category = rng.choices(names, shares)[0]
            level, online, _ = CATEGORIES[category]
            scale = level * math.exp(rng.gauss(0, 0.25))
            identifier = f"m-{country.code.lower()}{index:05d}-{self.tag}"
            merchants.append(Merchant(identifier, country.code, category, scale, online or rng.random() < 0.15))
        return merchants, list(accumulate((index + 3) ** -0.8 for index in range(len(merchants))))

    def merchant(self, rng: Random, country: str) -> Merchant:
        """A merchant by popularity; where the world knows none, any country's will do."""
        merchants, weights = self.merchants.get(country) or self.merchants["DE"]
        return merchants[bisect(weights, rng.random() * weights[-1])]

    def _customer(self, source: Random | None = None) -> Customer:
        rng = source or self.rng
        country = rng.choices(geography.COUNTRIES, [c.share for c in geography.COUNTRIES])[0]
        business = rng.random() < 0.02
        log_typical = rng.gauss(3.2, 0.55) - (0.6 if country.mobile_money else 0) + (1.4 if business else 0)
        opened_day = rng.randint(0, 100) if rng.random() < 0.06 else -int(rng.expovariate(1 / 900)) - 20
        income = math.exp(log_typical) * rng.uniform(35, 70)
        wealth = rng.uniform(5, 60) if rng.random() < 0.07 else 1.0
        number = self.number("account")
        customer = Customer(
            account_id=f"a-{number:06d}-{self.tag}",
            card_token=f"c-{number:06d}-{self.tag}",
            country=country,
            age=min(90, max(18, round(rng.gauss(43, 16)))),
            opened=(self.start + timedelta(days=opened_day)).date(),
            opened_day=opened_day,
            daily_rate=min(6.0, rng.lognormvariate(-0.25, 0.6)) * (2.5 if business else 1),
            hours=list(accumulate(_hours(rng))),
            log_typical=log_typical,
            spread=rng.uniform(0.3, 0.65),
            channels=list(accumulate(_channels(rng, country, business))),
            mobile_auth="pin" if rng.random() < (0.75 if country.mobile_money else 0.2) else "biometric",
            forgetful=rng.choice((0.02, 0.04, 0.06, 0.25)),
            wandering=rng.uniform(0.1, 0.6) if rng.random() < 0.05 else 0.004,
            hidden=rng.uniform(0.1, 0.9) if rng.random() < 0.03 else 0.0,
            phone=self.device(),
            computer=self.device() if rng.random() < 0.6 else "",
            home=self.line(),
            income=income,
            payday=rng.choice((0, 0, 14, 24, 27)),
            balance=income * wealth * rng.lognormvariate(0, 0.9),
            standing=None,
            business=business,
        )
        customer.computer = customer.computer or customer.phone
        self._settle_in(customer, rng)
        return customer

    def _settle_in(self, customer: Customer, rng: Random) -> None:
        """Usual merchants, a monthly payment, an agent's or a workplace's shared device."""
        count = rng.randint(8, 22)
        customer.favourites = [self.merchant(rng, customer.country.code) for _ in range(count)]
        customer.favourite_weights = list(accumulate((index + 1) ** -0.9 for index in range(count)))
        if rng.random() < 0.4:
            euros = customer.typical() * rng.uniform(3, 8)
            customer.standing = Standing(self.person(), euros, rng.randint(0, 27))
        if customer.country.mobile_money and rng.random() < 0.25:
            customer.shared_device = popular(rng, self.agents[customer.country.code])

    def _befriend(self) -> None:
        for customer in self.customers:
            known = self.rng.choices(self.customers, k=self.rng.randint(2, 5))
            customer.friends = [f"p-{friend.account_id[2:]}" for friend in known] + [self.person()]
        self._numbers["person"] += len(self.customers)

    def _form_households(self) -> None:
        """A fifth of the customers live in pairs or families: one line, often one computer for all."""
        index = 0
        while index < len(self.customers):
            size = self.rng.choices((1, 2, 3, 4, 5), (70, 14, 8, 6, 2))[0]
            members = self.customers[index : index + size]
            computer = self.device()
            for member in members[1:]:
                member.home, member.country = members[0].home, members[0].country
                member.favourites = [self.merchant(self.rng, member.country.code) for _ in member.favourites]
                member.shared_device = None
            if size > 1 and self.rng.random() < (0.6 if size < 4 else 0.3):
                for member in members:
                    member.computer = computer
            index += size


def popular(rng: Random, places: Sequence[str]) -> str:
    """One of the places, those at the head of the list more often: every town has its busy corner."""
    return places[int(len(places) * rng.random() ** 1.7)]


MOBILE_MONEY: Sequence[geography.Country] = tuple(c for c in geography.COUNTRIES if c.mobile_money)


def _hours(rng: Random) -> list[float]:
    """Everybody's day, shifted for early birds and night owls and blurred a little."""
    shift = rng.choice((-2, -1, 0, 0, 0, 1, 2, 4))
    return [LIKED_HOURS[(hour - shift) % 24] * rng.uniform(0.5, 1.5) for hour in range(24)]


def _channels(rng: Random, country: geography.Country, business: bool) -> list[float]:
    """Weights of pos, atm, mobile, web, api, different for everybody."""
    if business:
        base = (15, 2, 20, 40, 23)
    elif country.mobile_money:
        base = (10, 8, 70, 12, 0)
    else:
        base = (46, 6, 26, 22, 0)
    return [weight * rng.uniform(0.4, 1.6) for weight in base]
