"""What all fraud stories share: a crew with its tools, and the ways it pays itself."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Protocol

from training.simulator.customer import Customer, Merchant
from training.simulator.draft import Attempt, Draft, Payment
from training.simulator.geography import COUNTRIES, ELSEWHERE
from training.simulator.world import World

FOREIGN = tuple(country.code for country in COUNTRIES) + ELSEWHERE


class Story(Protocol):
    """One kind of fraud.

    `name` labels its transactions; `episodes` is how often it begins, per 1,000 customers and day; the bank learns
    of a fraud after about `report_days` (the median; lognormal), and never of the share `unreported`.
    """

    name: str
    episodes: float
    report_days: float
    unreported: float

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One episode from `start` on, in any order; times in seconds since the epoch."""
        ...


class Crew:
    """The fraudsters' side of the world: victims to choose from, and tools they reuse."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.story = ""
        self._mules: list[str] = []
        self._emulators: list[str] = []
        self._proxies: list[str] = []

    def victim(self, start: float) -> Customer:
        """A customer whose account exists at `start`."""
        while True:
            customer = self.rng.choice(self.world.customers)
            if customer.opened_day < self.world.day_of(start):
                return customer

    def rich_victim(self, start: float, choices: int) -> Customer:
        """The one with the most money among a few: some crimes choose whom they call."""
        return max((self.victim(start) for _ in range(choices)), key=lambda customer: customer.balance)

    def mule(self) -> str:
        """A person who passes stolen money on: mostly one in use already, sometimes a new one."""
        return self._reused(self._mules, self.world.person(), 0.45, 8)

    def emulator(self) -> str:
        """A device of the attackers: fresh, or used on a few victims before."""
        return self._reused(self._emulators, self.world.device(), 0.35, 5)

    def proxy(self, country: str) -> str:
        """An address to attack from: a rented one, or one inside the victim's country that customers use too."""
        pool = self.world.carriers.get(country)
        if pool and self.rng.random() < 0.45:
            return self.rng.choice(pool)
        return self._reused(self._proxies, self.world.public(), 0.4, 6)

    def shop(self, country: str) -> Merchant:
        """An online shop whose goods can be sold on, by popularity."""
        for _ in range(20):
            merchant = self.world.merchant(self.rng, country)
            if merchant.online:
                return merchant
        return merchant

    def pay(
        self,
        time: float,
        customer: Customer,
        euros: float,
        channel: str,
        auth: str,
        kind: str,
        country: str,
        device: str | None,
        address: str | None,
        counterparty: str,
    ) -> Payment:
        """A fraudulent payment of the story being played."""
        story = self.story
        return Payment(time, customer, euros, channel, auth, kind, country, device, address, counterparty, None, story)

    def logins(
        self, customer: Customer, before: float, failures: int, gap: float, device: str | None, address: str | None
    ) -> Iterator[Attempt]:
        """`failures` guesses about `gap` seconds apart, and the success just before `before`."""
        moment = before - self.rng.uniform(10, 120)
        yield Attempt(moment, customer, True, device, address)
        for _ in range(failures):
            moment -= self.rng.expovariate(1 / gap)
            yield Attempt(moment, customer, False, device, address)

    def abroad(self, customer: Customer, chance: float) -> str:
        """The country the transaction seems to come from: another one with this chance."""
        return self.rng.choice(FOREIGN) if self.rng.random() < chance else customer.where()

    def _reused(self, tools: list[str], fresh: str, chance: float, keep: int) -> str:
        if tools and self.rng.random() < chance:
            return self.rng.choice(tools[-keep:])
        tools.append(fresh)
        del tools[:-keep]
        return fresh
