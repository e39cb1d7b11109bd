"""Brute-force takeover: guessing the secret, getting in, moving the money out."""

from __future__ import annotations

from collections.abc import Iterator

from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class BruteForce:
    """Failed logins, a success, then transfers from a device new to the account.

    Some crews have the password from a leak and need hardly a guess, and some wait for hours before they move money.
    """

    name = "brute_force_takeover"
    episodes = 0.32
    report_days = 4.0
    unreported = 0.02

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One account taken over."""
        rng, victim = crew.rng, crew.victim(start)
        country = crew.abroad(victim, 0.25)
        device, address = crew.emulator(), crew.proxy(country)
        if rng.random() < 0.2:  # malware on the victim's own device
            device, address, country = victim.phone, victim.home, victim.where()
        guesses = rng.randint(0, 2) if rng.random() < 0.4 else rng.randint(3, 14)
        moment = start + 3600
        yield from crew.logins(victim, moment, guesses, rng.choice((20, 60, 240)), device, address)
        moment += rng.choice((0, 0, 0, 9000))
        channel = "mobile" if victim.country.mobile_money else rng.choice(("mobile", "web"))
        auth = rng.choice(("password", "otp", "pin") if channel == "web" else ("pin", "biometric", "password"))
        for _ in range(rng.randint(1, 4)):
            euros = victim.amount(rng, rng.uniform(1.2, 9))
            mule = crew.mule()
            yield crew.pay(moment, victim, euros, channel, auth, "transfer", country, device, address, mule)
            moment += rng.expovariate(1 / rng.choice((60, 600, 3600)))
