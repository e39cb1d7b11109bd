"""Card testing: small charges to see which stolen cards live, then a purchase or two on those that do."""

from __future__ import annotations

from collections.abc import Iterator

from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class CardTesting:
    """Many small web payments at one or two shops; hasty crews do it in minutes, careful ones over hours."""

    name = "card_testing"
    episodes = 0.15
    report_days = 3.0
    unreported = 0.03

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One card, tested and then used."""
        rng, victim = crew.rng, crew.victim(start)
        country = crew.abroad(victim, 0.35)
        device, address = crew.emulator(), crew.proxy(country)
        shops = [crew.shop(victim.country.code) for _ in range(rng.randint(1, 3))]
        gap = rng.choice((15, 45, 240, 1500, 5400))
        moment = start
        tries = rng.randint(2, 9)
        if gap < 300 and rng.random() < 0.3:
            tries += 10
        for _ in range(tries):
            euros = rng.uniform(0.5, 9)
            auth = rng.choice(("none", "none", "password"))
            seen = device if rng.random() < 0.7 else None
            shop = rng.choice(shops).id
            yield crew.pay(moment, victim, euros, "web", auth, "payment", country, seen, address, shop)
            moment += rng.expovariate(1 / gap)
        for _ in range(rng.randint(0, 2)):
            moment += rng.uniform(120, 20000)
            shop = crew.shop(victim.country.code).id
            euros = victim.amount(rng, rng.uniform(1.5, 9))
            yield crew.pay(moment, victim, euros, "web", "none", "payment", country, device, address, shop)
