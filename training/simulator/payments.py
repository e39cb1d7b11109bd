"""How honest customers pay: at the till, at a cash machine, to friends, online; from which device and address."""

from __future__ import annotations

import math
from bisect import bisect
from random import Random

from training.simulator.customer import Customer
from training.simulator.draft import Attempt, Draft, Payment
from training.simulator.geography import COUNTRIES
from training.simulator.world import World, popular

WEB_AUTH = ("otp", "password", "biometric", "none")
WEB_AUTH_WEIGHTS = (48, 78, 90, 100)  # cumulative
MOST_FRIENDS = 100
CHANNELS = ("pos", "atm", "mobile", "web", "api")


class Payments:
    """Draws payments, and the logins before them, from one random stream; `out` collects them."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.out: list[Draft] = []

    def purchase(self, customer: Customer, moment: float) -> None:
        """An ordinary purchase by one of the customer's channels; now and then a large one."""
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
            if rng.random() < 0.5 and len(customer.friends) < MOST_FRIENDS:
                customer.friends.append(person)
        else:
            person = rng.choice(customer.friends)
        self.remote(customer, moment, "mobile", customer.amount(rng, 1.3 * scale), "transfer", person, None)

    def _shop_online(self, customer: Customer, moment: float, channel: str, scale: float) -> None:
        rng = self.rng
        merchant = customer.favourite(rng)
        if rng.random() < 0.2:
            country = customer.country.code if rng.random() < 0.7 else rng.choice(COUNTRIES).code
            merchant = self.world.merchant(rng, country)
            customer.favourites[rng.randrange(len(customer.favourites))] = merchant
        euros = customer.amount(rng, merchant.scale * scale)
        self.remote(customer, moment, channel, euros, "payment", merchant.id, merchant.category)

    def remote(
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
        return WEB_AUTH[bisect(WEB_AUTH_WEIGHTS, self.rng.random() * 100.0)]

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
            return popular(rng, self.world.hotspots[where]), where
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
