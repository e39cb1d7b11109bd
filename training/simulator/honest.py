"""What honest customers do on one day, with everything about it that looks suspicious and is not."""

from __future__ import annotations

import math
from bisect import bisect
from datetime import timedelta
from random import Random

from training.simulator.customer import Customer, Trip
from training.simulator.draft import Attempt, Draft, Payment
from training.simulator.geography import COUNTRIES, ELSEWHERE
from training.simulator.world import World

WEEKDAYS = (0.95, 0.92, 0.95, 1.0, 1.2, 1.25, 0.75)
CHANNELS = ("pos", "atm", "mobile", "web", "api")
DESTINATIONS = tuple(country.code for country in COUNTRIES) + ELSEWHERE


class HonestLife:
    """A day in the life of every customer, drawn from one random stream."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.day = 0
        self.day_start = 0.0
        self.out: list[Draft] = []

    def live(self, day: int) -> list[Draft]:
        """Everything all customers do on this day, unordered."""
        self.day, self.out = day, []
        self.day_start = self.world.start_seconds + 86400 * day
        date = self.world.start + timedelta(days=day)
        mood = WEEKDAYS[date.weekday()]
        for customer in self.world.customers:
            if customer.opened_day <= day:
                self._change(customer)
                self._spend(customer, mood, date.day - 1)
        return self.out

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
            self._purchase(customer, customer.moment(rng, self.day_start))
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
            self._purchase(customer, moment)
            moment += rng.expovariate(1 / gap)

    def _pay_standing(self, customer: Customer) -> None:
        standing = customer.standing
        if standing is None:
            return
        moment = customer.moment(self.rng, self.day_start)
        self._remote(customer, moment, "web", standing.euros, "transfer", standing.counterparty, "housing")

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
            self._remote(customer, moment, channel, euros, "transfer", self.world.person(), None)
            moment += rng.uniform(200, 9000)

    def _payroll(self, customer: Customer) -> None:
        """A small business pays its people, one after the other, through its software."""
        rng = self.rng
        moment = customer.moment(rng, self.day_start)
        for index in range(rng.randint(3, 11)):
            euros = customer.amount(rng, 3.0)
            person = customer.friends[index % len(customer.friends)]
            self._remote(customer, moment, "api", euros, "transfer", person, None)
            moment += rng.expovariate(1 / 200)

    def _purchase(self, customer: Customer, moment: float) -> None:
        rng = self.rng
        channel = CHANNELS[bisect(customer.channels, rng.random() * customer.channels[-1])]
        scale = rng.uniform(3, 14) if rng.random() < 0.007 else 1.0
        if channel == "atm":
            self._withdraw(customer, moment, scale)
        elif channel == "pos":
            self._at_the_till(customer, moment, scale)
        elif channel == "mobile" and rng.random() < 0.55:
            self._send_money(customer, moment, scale)
        else:
            self._shop_online(customer, moment, channel, scale)

    def _withdraw(self, customer: Customer, moment: float, scale: float) -> None:
        euros = 10 * math.ceil(customer.amount(self.rng, 0.2 * scale))
        self.out.append(Payment(moment, customer, euros, "atm", "pin", "withdrawal", customer.where(), category="cash"))

    def _at_the_till(self, customer: Customer, moment: float, scale: float) -> None:
        rng = self.rng
        if customer.trip or rng.random() < 0.15:
            merchant = self.world.merchant(rng, customer.where())
        else:
            merchant = customer.favourite(rng)
        wallet = rng.random() < 0.35
        auth = "biometric" if wallet else ("pin" if rng.random() < 0.5 else "none")
        device = customer.phone if wallet else None
        euros = customer.amount(rng, merchant.scale * scale)
        where = customer.where()
        payment = Payment(moment, customer, euros, "pos", auth, "payment", where, device, None, merchant.id)
        payment.category = merchant.category
        self.out.append(payment)

    def _send_money(self, customer: Customer, moment: float, scale: float) -> None:
        """To a friend; now and then to somebody never paid before, who may become one."""
        rng = self.rng
        if rng.random() < 0.12:
            person = self.world.person()
            if rng.random() < 0.5:
                customer.friends.append(person)
        else:
            person = rng.choice(customer.friends)
        self._remote(customer, moment, "mobile", customer.amount(rng, 1.3 * scale), "transfer", person, None)

    def _shop_online(self, customer: Customer, moment: float, channel: str, scale: float) -> None:
        rng = self.rng
        merchant = customer.favourite(rng)
        if rng.random() < 0.2:
            country = customer.country.code if rng.random() < 0.7 else rng.choice(COUNTRIES).code
            merchant = self.world.merchant(rng, country)
            customer.favourites[rng.randrange(len(customer.favourites))] = merchant
        euros = customer.amount(rng, merchant.scale * scale)
        self._remote(customer, moment, channel, euros, "payment", merchant.id, merchant.category)

    def _remote(
        self,
        customer: Customer,
        moment: float,
        channel: str,
        euros: float,
        kind: str,
        counterparty: str,
        category: str | None,
    ) -> None:
        """A payment from one of the customer's devices, after logging in."""
        device = self._device(customer, channel)
        address, country = self._address(customer, channel)
        auth = self._auth(customer, channel)
        if channel != "api" and self.rng.random() < 0.55:
            self._log_in(customer, moment, device, address)
        self.out.append(
            Payment(moment, customer, euros, channel, auth, kind, country, device, address, counterparty, category)
        )

    def _device(self, customer: Customer, channel: str) -> str:
        chance = self.rng.random()
        if channel == "mobile":
            return customer.shared_device if customer.shared_device and chance < 0.06 else customer.phone
        if chance < customer.wandering:
            return self.world.device()
        return customer.phone if chance > 0.8 else customer.computer

    def _auth(self, customer: Customer, channel: str) -> str:
        if channel == "mobile":
            return customer.mobile_auth if self.rng.random() < 0.9 else "otp"
        if channel == "api":
            return "password"
        return self.rng.choices(("otp", "password", "biometric", "none"), (48, 30, 12, 10))[0]

    def _address(self, customer: Customer, channel: str) -> tuple[str, str]:
        """Where the request comes from: home, the carrier, a hotspot, a hotel, or a tunnel abroad."""
        rng, where = self.rng, customer.where()
        if channel == "web" and rng.random() < customer.hidden:
            country = rng.choice(COUNTRIES).code
            return rng.choice(self.world.hotspots[country]), country
        if customer.trip:
            return customer.trip.address, where
        chance = rng.random()
        if chance < (0.4 if channel == "mobile" else 0.06):
            return rng.choice(self.world.carriers[where]), where
        if chance > 0.965:
            return rng.choice(self.world.hotspots[where]), where
        return customer.home, where

    def _log_in(self, customer: Customer, moment: float, device: str, address: str) -> None:
        """A login before the payment; people mistype, and more so on a new phone."""
        rng = self.rng
        struggles = moment < customer.troubled_until and rng.random() < 0.3
        failures = 0
        if struggles or rng.random() < customer.forgetful:
            failures = min(7, 1 + int(rng.expovariate(0.6 if struggles else 1.1)))
        moment -= rng.uniform(5, 60)
        self.out.append(Attempt(moment, customer, True, device, address))
        for _ in range(failures):
            moment -= rng.uniform(8, 90)
            self.out.append(Attempt(moment, customer, False, device, address))


def poisson(rng: Random, mean: float) -> int:
    """A Poisson count (Knuth's method: means here are small)."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count
