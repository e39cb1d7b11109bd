"""SIM swap: the victim's number moved to the thief's phone, one-time codes and all."""

from __future__ import annotations

from collections.abc import Iterator

from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class SimSwap:
    """No guessing and the right country: a new phone, one-time codes, and much of the balance within hours."""

    name = "sim_swap"
    episodes = 0.22
    report_days = 3.0
    unreported = 0.02

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One number taken over, one account emptied."""
        rng, victim = crew.rng, crew.rich_victim(start, 3)
        country = victim.where()
        pool = crew.world.carriers.get(country)
        device, address = crew.world.device(), rng.choice(pool) if pool else crew.world.public()
        moment = start + 600
        yield from crew.logins(victim, moment, rng.choice((0, 0, 1)), 60, device, address)
        left = victim.balance * rng.uniform(0.3, 0.9)
        for _ in range(rng.randint(1, 4)):
            euros = max(20.0, left * rng.uniform(0.25, 0.7))
            left -= euros
            auth = rng.choice(("otp", "otp", "pin"))
            mule = crew.mule()
            yield crew.pay(moment, victim, euros, "mobile", auth, "transfer", country, device, address, mule)
            moment += rng.expovariate(1 / 4000)
