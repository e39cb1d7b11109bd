"""What honest customers do on one day, with everything about it that looks suspicious and is not."""

from __future__ import annotations

import math
from datetime import timedelta
from random import Random

from training.simulator.customer import Customer, Trip
from training.simulator.draft import Draft
from training.simulator.geography import COUNTRIES, ELSEWHERE
from training.simulator.payments import Payments
from training.simulator.world import World

WEEKDAYS = (0.95, 0.92, 0.95, 1.0, 1.2, 1.25, 0.75)
DESTINATIONS = tuple(country.code for country in COUNTRIES) + ELSEWHERE


class HonestLife:
    """A day in the life of every customer, drawn from one random stream."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.payments = Payments(world, rng)
        self.day = 0
        self.day_start = 0.0

    def live(self, day: int) -> list[Draft]:
        """Everything all customers do on this day, unordered."""
        self.day, self.payments.out = day, []
        self.day_start = self.world.start_seconds + 86400 * day
        date = self.world.start + timedelta(days=day)
        mood = WEEKDAYS[date.weekday()]
        for customer in self.world.customers:
            if customer.opened_day <= day:
                self._change(customer)
                self._spend(customer, mood, date.day - 1)
        return self.payments.out

    def _change(self, customer: Customer) -> None:
        """Trips begin and end, phones and lines are replaced: rare, and harmless."""
        rng = self.rng
        if customer.trip and customer.trip.until <= self.day:
            customer.trip = None
        chance = rng.random()
        if chance < 0.0025 and customer.trip is None:
            country = rng.choice(DESTINATIONS)
            hotels = self.world.hotspots.get(country)
            hotel = rng.choice(hotels) if hotels else self.world.public()
            customer.trip = Trip(country, hotel, self.day + rng.randint(2, 12))
        elif chance < 0.006:
            customer.phone = self.world.device()
            customer.troubled_until = self.day_start + 86400 * 3
        elif chance < 0.01:
            customer.home = self.world.line()

    def _spend(self, customer: Customer, mood: float, day_of_month: int) -> None:
        rng = self.rng
        if day_of_month == customer.payday:
            customer.balance += customer.income * rng.uniform(0.95, 1.1)
            mood *= 1.3
        mean = customer.daily_rate * mood * (1.8 if customer.trip else 1.0)
        for _ in range(poisson(rng, mean)):
            self.payments.purchase(customer, customer.moment(rng, self.day_start))
        if rng.random() < 0.009 * customer.daily_rate:
            self._spree(customer)
        if rng.random() < 0.007:
            self._pay_a_stranger(customer)
        if customer.standing and customer.standing.day_of_month == day_of_month:
            self._pay_standing(customer)
        if customer.business and day_of_month == 24:
            self._payroll(customer)

    def _spree(self, customer: Customer) -> None:
        """An afternoon of shopping, a booked holiday, a night out: several payments close together."""
        rng = self.rng
        moment = customer.moment(rng, self.day_start)
        gap = rng.choice((90, 240, 600, 900, 1200))
        for _ in range(rng.randint(2, 6)):
            self.payments.purchase(customer, moment)
            moment += rng.expovariate(1 / gap)

    def _pay_standing(self, customer: Customer) -> None:
        standing = customer.standing
        if standing is None:
            return
        moment = customer.moment(self.rng, self.day_start)
        self.payments.remote(customer, moment, "web", standing.euros, "transfer", standing.counterparty, "housing")

    def _pay_a_stranger(self, customer: Customer) -> None:
        """A used car, a builder, a deposit for a flat: much money to somebody never paid before."""
        rng = self.rng
        moment = customer.moment(rng, self.day_start)
        if rng.random() < 0.1:
            euros = customer.balance * rng.uniform(0.2, 0.9) + 1
        else:
            euros = customer.amount(rng, rng.uniform(2, 16))
        for _ in range(rng.choice((1, 1, 1, 2))):
            channel = rng.choice(("mobile", "mobile", "web"))
            self.payments.remote(customer, moment, channel, euros, "transfer", self.world.person(), None)
            moment += rng.uniform(200, 9000)

    def _payroll(self, customer: Customer) -> None:
        """A small business pays its people, one after the other, through its software."""
        rng = self.rng
        moment = customer.moment(rng, self.day_start)
        for index in range(rng.randint(3, 11)):
            euros = customer.amount(rng, 3.0)
            person = customer.friends[index % len(customer.friends)]
            self.payments.remote(customer, moment, "api", euros, "transfer", person, None)
            moment += rng.expovariate(1 / 200)


def poisson(rng: Random, mean: float) -> int:
    """A Poisson count (Knuth's method: means here are small)."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count
