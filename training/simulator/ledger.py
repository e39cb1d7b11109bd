"""Turns drafts, in time order, into events: ids, local currency, balances, and when the bank learns of a fraud."""

from __future__ import annotations

import math
from random import Random

from training.simulator.customer import Customer
from training.simulator.draft import Attempt, Draft, Payment
from training.simulator.events import Event, SimulatedLogin, SimulatedTransaction
from training.simulator.stories import Story
from training.simulator.world import World

REMOTE = frozenset({"mobile", "web", "api"})


class Ledger:
    """Keeps the balances; must be given the drafts in time order."""

    def __init__(self, world: World, stories: tuple[Story, ...], rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.stories = {story.name: story for story in stories}
        self._transactions = 0
        self._logins = 0

    def settle(self, draft: Draft) -> Event:
        """The event of this draft."""
        return self._login(draft) if isinstance(draft, Attempt) else self._transaction(draft)

    def _login(self, draft: Attempt) -> SimulatedLogin:
        self._logins += 1
        return SimulatedLogin(
            event_id=f"l-{self._logins:06d}-{self.world.tag}",
            account_id=draft.customer.account_id,
            success=draft.success,
            time=int(draft.time),
            device_id=draft.device,
            ip_address=draft.address,
        )

    def _transaction(self, draft: Payment) -> SimulatedTransaction:
        customer = draft.customer
        rate = customer.country.per_euro
        self._transactions += 1
        amount = max(0.01, round(draft.euros * rate, 2))
        told = draft.channel in REMOTE and self._transactions % 7 != 0
        before = round(self._withdraw(customer, amount / rate) * rate, 2)
        return SimulatedTransaction(
            transaction_id=f"t-{self._transactions:06d}-{self.world.tag}",
            account_id=customer.account_id,
            time=int(draft.time),
            amount=amount,
            currency=customer.country.currency,
            channel=draft.channel,
            auth_method=draft.auth,
            transaction_type=draft.kind,
            geo_country=draft.country,
            device_id=draft.device,
            ip_address=draft.address,
            counterparty_id=draft.counterparty,
            merchant_category=draft.category,
            card_token=customer.card_token if draft.kind == "payment" else None,
            balance_before=before if told else None,
            balance_after=round(before - amount, 2) if told else None,
            customer_age=customer.age,
            account_opened_at=customer.opened,
            label=draft.story is not None,
            story=draft.story,
            label_time=self._label_time(draft),
        )

    def _withdraw(self, customer: Customer, euros: float) -> float:
        """The balance before; an account that would be overdrawn is topped up from savings first."""
        if customer.balance < euros:
            customer.balance = euros * self.rng.uniform(1.01, 3.0)
        before = customer.balance
        customer.balance -= euros
        return before

    def _label_time(self, draft: Payment) -> int | None:
        if draft.story is None:
            return None
        story = self.stories[draft.story]
        delay = story.report_days * math.exp(self.rng.gauss(0, 0.6))
        reported = self.rng.random() >= story.unreported
        return int(draft.time + 86400 * max(0.2, delay)) if reported else None
