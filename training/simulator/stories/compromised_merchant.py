"""Compromised merchant: a skimmer or a bad cashier; the shop's own customers are charged again."""

from __future__ import annotations

from collections.abc import Iterator

from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class CompromisedMerchant:
    """For weeks, false charges at one real merchant, at its usual prices: only the merchant has a history."""

    name = "compromised_merchant"
    episodes = 0.035
    report_days = 4.0
    unreported = 0.04

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One merchant, from the first false charge to the last."""
        rng = crew.rng
        country = crew.victim(start).country.code
        merchants, _ = crew.world.merchants[country]
        merchant = rng.choice(merchants[: max(10, len(merchants) // 2)])
        locals_ = [c for c in crew.world.customers if c.country.code == country]
        regulars = [c for c in locals_ if merchant in c.favourites] or locals_
        length = rng.randint(16, 32)
        for _ in range(rng.randint(15, 45)):
            victim = rng.choice(regulars if rng.random() < 0.7 else locals_)
            day = start + 86400 * min(length, int(length * rng.betavariate(1.4, 1)))
            if victim.opened_day >= crew.world.day_of(day):
                continue
            moment = victim.moment(rng, day - (day - crew.world.start_seconds) % 86400)
            euros = victim.amount(rng, merchant.scale * rng.uniform(0.9, 2.5))
            channel, auth = rng.choice((("pos", "none"), ("pos", "pin"), ("web", "none")))
            payment = crew.pay(moment, victim, euros, channel, auth, "payment", country, None, None, merchant.id)
            payment.category = merchant.category
            yield payment
