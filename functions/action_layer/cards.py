"""Brings orders to card management: claimed, carried out, settled. A crash in between repeats an order under its id.

One circuit breaker for all of them: while card management fails, orders wait without using up their attempts.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from assay import moments
from assay.accounts.orders import CardOrder, OrderKind, OrderState, died
from assay.accounts.ports import Answer, CardManagement, CardOrderStore, Outcome
from assay.delivery import rounds
from assay.features.windows import SECOND
from assay.webhooks.backoff import full_jitter
from assay.webhooks.breaker import Breaker
from functions.action_layer.accounts import Accounts

log = logging.getLogger(__name__)


class NoCards:
    """Card management where there is none: accounts are frozen, and their orders dropped when they are due."""

    async def carry_out(self, _order: CardOrder) -> Answer:
        """Tells nobody."""
        return Answer(Outcome.NEEDLESS)


@dataclass(frozen=True, slots=True)
class Patience:
    """How an order is tried again. By default it is given up after an hour or two of failures."""

    attempts: int = 14
    first_wait_s: float = 1.0
    longest_wait_s: float = 900.0
    claim_s: float = 60.0
    """Longer than an attempt takes: 10 s."""
    at_once: int = 8
    """Orders that are on their way together."""
    failures: int = 5
    """In a row, then card management is left alone."""
    cooldown_s: float = 10.0


class CardDelivery:
    """Carries out the orders that are due. Any number of processes may do it at once."""

    def __init__(
        self,
        orders: CardOrderStore,
        accounts: Accounts,
        cards: CardManagement,
        patience: Patience = Patience(),
        now: Callable[[], int] = moments.now,
    ) -> None:
        """`now`: in microseconds."""
        self._orders = orders
        self._accounts = accounts
        self._cards = cards
        self._patience = patience
        self._now = now
        self._breaker = Breaker(patience.failures, int(patience.cooldown_s * SECOND))

    async def run(self, may_go_on: Callable[[], bool] = lambda: True) -> int:
        """Carries out what is due; returns how many attempts that took. Raises `StorageError`."""
        return await rounds(self._claim, self._attempt, may_go_on)

    async def _claim(self) -> list[CardOrder]:
        """None while card management is left alone."""
        now = self._now()
        limit = self._breaker.allows(now, self._patience.at_once)
        return await self._orders.claim(now, now + int(self._patience.claim_s * SECOND), limit) if limit else []

    async def _attempt(self, order: CardOrder) -> None:
        if order.is_pointless(self._now()):
            await self._orders.settle(replace(order, state=OrderState.DROPPED))
            return
        answer = await self._carry_out(order)
        if answer.outcome is Outcome.DONE and order.kind is OrderKind.BLOCK:
            await self._accounts.confirm(order)  # before the order is settled: a crash here repeats both
        after = settled(order, answer, self._patience, self._now(), random.random())
        is_dead = after.state is OrderState.DEAD
        if is_dead:
            log.error("card order %s (%s) is dead: %s", after.id, after.kind, after.error)
        await self._orders.settle(after, died(after) if is_dead else None)

    async def _carry_out(self, order: CardOrder) -> Answer:
        if order.attempts > self._patience.attempts:
            return Answer(Outcome.REFUSED, "no attempt came to an end")
        answer = await self._cards.carry_out(order)
        is_failure = answer.outcome is Outcome.RETRY  # a refusal is about the order: whoever refuses is there
        self._breaker = self._breaker.failed(self._now()) if is_failure else self._breaker.succeeded()
        return answer


def settled(order: CardOrder, answer: Answer, patience: Patience, now: int, draw: float) -> CardOrder:
    """What becomes of an order after an attempt. `draw`: a random number of [0, 1)."""
    if answer.outcome is Outcome.DONE:
        return replace(order, state=OrderState.DONE, error="")
    if answer.outcome is Outcome.NEEDLESS:
        return replace(order, state=OrderState.DROPPED, error="")
    if answer.outcome is Outcome.REFUSED or order.attempts >= patience.attempts:
        return replace(order, state=OrderState.DEAD, error=answer.reason)
    jitter = full_jitter(order.attempts, patience.first_wait_s, patience.longest_wait_s, draw)
    return replace(order, error=answer.reason, due_at=now + int(max(answer.wait_s, jitter) * SECOND))
