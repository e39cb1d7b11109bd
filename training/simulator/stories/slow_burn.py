"""Slow burn: somebody with quiet access to the account, taking a little now and then."""

from __future__ import annotations

from collections.abc import Iterator

from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class SlowBurn:
    """Two to five weeks of modest payments from a second device, which soon looks like the customer's own."""

    name = "slow_burn"
    episodes = 0.09
    report_days = 11.0
    unreported = 0.06

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One account, bled for weeks."""
        rng, victim = crew.rng, crew.victim(start)
        device = crew.world.device()
        address = crew.world.line() if rng.random() < 0.6 else crew.proxy(victim.country.code)
        receivers = [crew.mule(), crew.shop(victim.country.code).id, crew.shop(victim.country.code).id]
        channel = "mobile" if rng.random() < 0.5 else "web"
        auth = victim.mobile_auth if channel == "mobile" else rng.choice(("password", "otp"))
        moment = start
        for _ in range(rng.randint(5, 14)):
            euros = victim.amount(rng, rng.uniform(1, 3))
            receiver = rng.choice(receivers)
            kind = "transfer" if receiver.startswith("p-") else "payment"
            country = victim.country.code
            if rng.random() < 0.5:
                yield from crew.logins(victim, moment, 0, 30, device, address)
            yield crew.pay(moment, victim, euros, channel, auth, kind, country, device, address, receiver)
            moment += rng.expovariate(1 / (2.2 * 86400))
