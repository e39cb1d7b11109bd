"""Device farm and mule ring: many accounts, few phones, money passing through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from training.simulator.customer import Customer
from training.simulator.draft import Draft
from training.simulator.stories.base import Crew


class DeviceFarm:
    """Accounts opened to pass stolen money on, handled from one to five phones over a week or two."""

    name = "device_farm"
    episodes = 0.03
    report_days = 9.0
    unreported = 0.05

    def play(self, crew: Crew, start: float) -> Iterator[Draft]:
        """One ring at work."""
        rng = crew.rng
        accounts = [self._account(crew, start) for _ in range(rng.randint(8, 26))]
        devices = [crew.world.device() for _ in range(rng.choice((1, 1, 1, 2, 5)))]
        spare = devices[1:] or devices  # one phone does most of the work: two accounts of three
        address = crew.proxy(accounts[0].country.code)
        collectors = [crew.mule() for _ in range(3)]
        length = rng.uniform(2, 14) * 86400
        for index, account in enumerate(accounts):
            device = devices[0] if index % 3 else spare[index // 3 % len(spare)]
            for _ in range(rng.randint(1, 3)):
                moment = account.moment(rng, start + 86400 * int(rng.uniform(0, length) / 86400))
                where = address if rng.random() < 0.5 else crew.proxy(account.country.code)
                yield from self._forward(crew, account, moment, device, where, rng.choice(collectors))

    def _account(self, crew: Crew, start: float) -> Customer:
        """Mostly opened for the purpose, some bought from customers who needed money."""
        if crew.rng.random() < 0.4:
            return crew.victim(start)
        return crew.world.new_account(crew.rng, crew.world.day_of(start))

    def _forward(
        self, crew: Crew, account: Customer, moment: float, device: str, address: str, collector: str
    ) -> Iterator[Draft]:
        rng, country = crew.rng, account.country.code
        euros = account.amount(rng, rng.uniform(1, 6))
        yield from crew.logins(account, moment, 0, 30, device, address)
        yield crew.pay(
            moment, account, euros, "mobile", account.mobile_auth, "transfer", country, device, address, collector
        )
        if rng.random() < 0.25:
            later = moment + timedelta(minutes=rng.uniform(1, 50)).total_seconds()
            euros = account.amount(rng, rng.uniform(1, 6))
            yield crew.pay(later, account, euros, "mobile", "otp", "transfer", country, device, address, crew.mule())
