"""Botnet: one machine tries many accounts with leaked credentials, a payment each."""

from __future__ import annotations

from collections.abc import Iterator

from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class Botnet:
    """Many victims from one to three addresses within a day; devices are invented for each, or not told at all."""

    name = "botnet"
    episodes = 0.03
    report_days = 5.0
    unreported = 0.03

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One wave."""
        rng = crew.rng
        addresses = [crew.world.public() for _ in range(rng.choice((1, 1, 1, 3)))]
        shops = [crew.shop(rng.choice(list(crew.world.merchants))) for _ in range(4)]
        length = rng.uniform(2, 20) * 3600
        for _ in range(rng.randint(14, 45)):
            victim = crew.victim(start)
            moment = start + rng.uniform(0, length)
            address = rng.choice(addresses)
            country = crew.abroad(victim, 0.3)
            device = crew.world.device() if rng.random() < 0.75 else None
            if rng.random() < 0.3:
                yield from crew.logins(victim, moment, rng.randint(0, 3), 20, device, address)
            euros = victim.amount(rng, rng.uniform(0.8, 4))
            auth = rng.choice(("password", "none", "password", "otp"))
            shop = rng.choice(shops).id
            yield crew.pay(moment, victim, euros, "web", auth, "payment", country, device, address, shop)
