"""Talked into paying: the victim sends the money, from the genuine device, believing the caller."""

from __future__ import annotations

from collections.abc import Iterator

from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class TalkedIntoPaying:
    """Own phone, own home, own secret. What differs is the receiver, the amount, and sometimes the haste."""

    name = "talked_into_paying"
    episodes = 0.42
    report_days = 7.0
    unreported = 0.06

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One victim on the telephone."""
        rng, victim = crew.rng, crew.rich_victim(start, 2)
        moment = victim.moment(rng, start - (start - crew.world.start_seconds) % 86400)
        channel, auth, device = "mobile", victim.mobile_auth, victim.phone
        if rng.random() < 0.4:
            channel, auth, device = "web", "otp", victim.computer
        carriers = crew.world.carriers.get(victim.where())
        away = channel == "mobile" and carriers and rng.random() < 0.4
        address = rng.choice(carriers) if away and carriers else victim.home
        yield from crew.logins(victim, moment, 0, 60, device, address)
        mule = crew.mule()
        where = victim.where()
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            share = victim.balance * rng.uniform(0.2, 0.9)
            euros = share if rng.random() < 0.2 else min(share, victim.amount(rng, rng.uniform(2, 16)))
            yield crew.pay(moment, victim, euros, channel, auth, "transfer", where, device, address, mule)
            moment += rng.uniform(200, 5000)
