"""Pushes events to webhooks: claimed, sent, settled. A crash in between sends one twice, never not at all.

A message keeps its id in every attempt, so who receives it can tell. Each webhook has its own turns and its own
circuit breaker: one that is slow or down holds nobody else up.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from assay import moments
from assay.client_events.ports import DeliveryStore
from assay.client_events.records import Delivery, DeliveryState, Health, Webhook
from assay.delivery import one_round
from assay.features.windows import DAY, SECOND
from assay.sealing import SealError
from assay.webhooks.breaker import Breaker
from assay.webhooks.sender import Delivery as Sent
from assay.webhooks.sender import Message, Outcome
from assay.webhooks.signing import Secret
from functions.client_events.webhooks import Webhooks

log = logging.getLogger(__name__)
WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""After each failed attempt, as Standard Webhooks has it: the eighth comes after 27 hours and a half. A fifth more or
less each: who failed together does not come back together.
"""
ATTEMPTS = len(WAITS_S) + 1
CLAIM_S = 60
"""Longer than an attempt takes: 10 s."""
AT_ONCE = 6
"""Messages to a webhook that are on their way together."""
WEBHOOKS_AT_ONCE = 16
"""That have their turn together. With `AT_ONCE`, fewer connections than the HTTP client has."""
LOOK_S = 0.2
"""Between looks for other webhooks while some have their turn."""
FAILURES, COOLDOWN_S = 5, 60
"""So many failures in a row, and a webhook is left alone for so long, then tried with one message."""
FAILING = 5 * DAY
"""A webhook that has not taken anything for so long is disabled with the next message that is given up."""

Secrets = tuple[Secret, ...]


class Sender(Protocol):
    """Sends signed messages."""

    async def send(self, url: str, message: Message, secrets: Secrets) -> Outcome:
        """One attempt, as `assay.webhooks.sender.WebhookSender`."""
        ...


@dataclass(slots=True)
class _Turns:
    """What this process knows of a webhook."""

    breaker: Breaker = field(default_factory=lambda: Breaker(FAILURES, COOLDOWN_S * SECOND))
    last: int = 0
    """The number of its last turn."""


class Deliveries:
    """Pushes what is due. Any number of processes may do it at once."""

    def __init__(
        self, store: DeliveryStore, webhooks: Webhooks, sender: Sender, now: Callable[[], int] = moments.now
    ) -> None:
        """`now`: in microseconds."""
        self._store = store
        self._webhooks = webhooks
        self._sender = sender
        self._now = now
        self._known: dict[str, _Turns] = {}
        self._turn = 0

    async def run(self, may_go_on: Callable[[], bool] = lambda: True) -> int:
        """Sends until nothing is due; how many attempts that took. Raises `StorageError`, when all turns have ended."""
        turns: dict[str, asyncio.Task[int]] = {}
        attempts = 0
        try:
            while True:
                if may_go_on():
                    turns |= await self._begin(turns)
                if not turns:
                    return attempts
                ended, _ = await asyncio.wait(turns.values(), timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for webhook_id in [id_ for id_, turn in turns.items() if turn in ended]:
                    attempts += turns.pop(webhook_id).result()
        except Exception:
            await asyncio.gather(*turns.values(), return_exceptions=True)
            raise
        finally:
            for turn in turns.values():  # this was cancelled: what is on its way will be sent again
                turn.cancel()
            await asyncio.gather(*turns.values(), return_exceptions=True)

    async def _begin(self, under_way: dict[str, asyncio.Task[int]]) -> dict[str, asyncio.Task[int]]:
        """A turn for each webhook that something is due for, first for those whose last turn is longest ago."""
        free = WEBHOOKS_AT_ONCE - len(under_way)
        if not free:
            return {}
        now = self._now()
        waiting = [
            (webhook, health)
            for webhook, health in await self._store.due(now)
            if webhook.id not in under_way and self._of(webhook).breaker.allows(now, AT_ONCE)
        ]
        waiting.sort(key=lambda each: self._of(each[0]).last)
        begun = {}
        for webhook, health in waiting[:free]:
            self._turn += 1
            self._of(webhook).last = self._turn
            begun[webhook.id] = asyncio.create_task(self._take_turn(webhook, health))
        return begun

    async def _take_turn(self, webhook: Webhook, health: Health) -> int:
        secrets = await self._secrets(webhook)  # before anything is claimed: a fault here uses up no attempt

        def claim() -> Awaitable[list[Delivery]]:
            now = self._now()
            limit = max(1, self._of(webhook).breaker.allows(now, AT_ONCE))
            return self._store.claim(webhook.id, now, now + CLAIM_S * SECOND, limit)

        return await one_round(claim, partial(self._attempt, webhook, health, secrets))

    async def _attempt(self, webhook: Webhook, health: Health, secrets: Secrets, delivery: Delivery) -> None:
        outcome = await self._send(webhook, secrets, delivery)
        now, turns = self._now(), self._of(webhook)
        is_taken = outcome.delivery is Sent.DELIVERED
        turns.breaker = turns.breaker.succeeded() if is_taken else turns.breaker.failed(now)
        after = settled(delivery, outcome, now, random.random())
        await self._store.settle(webhook, delivery, after, now)
        reason = _end(outcome, after, health, now)
        if reason is not None and await self._webhooks.disable(webhook, reason):
            log.warning("webhook %s of %s is disabled: %s", webhook.id, webhook.client_id, reason)

    async def _send(self, webhook: Webhook, secrets: Secrets, delivery: Delivery) -> Outcome:
        if delivery.attempts > ATTEMPTS:
            return Outcome(Sent.REFUSED, "no attempt came to an end")
        if not secrets:
            return Outcome(Sent.RETRY, "its secret cannot be opened")
        return await self._sender.send(webhook.url, Message(delivery.event_id, delivery.body), secrets)

    async def _secrets(self, webhook: Webhook) -> Secrets:
        """Those to sign with; none when they cannot be opened."""
        try:
            return await self._webhooks.secrets(webhook)
        except SealError as error:
            log.error("webhook %s of %s: %s", webhook.id, webhook.client_id, error)
            return ()

    def _of(self, webhook: Webhook) -> _Turns:
        return self._known.setdefault(webhook.id, _Turns())


def settled(delivery: Delivery, outcome: Outcome, now: int, draw: float) -> Delivery | None:
    """What becomes of a delivery after an attempt; None: it was taken. `draw`: a random number of [0, 1).

    Every answer but 2xx and 410 is worth another attempt: a receiver that answers 404 today may be there tomorrow.
    """
    if outcome.delivery is Sent.DELIVERED:
        return None
    if outcome.delivery is Sent.GONE or delivery.attempts >= ATTEMPTS:
        return replace(delivery, state=DeliveryState.DEAD, error=outcome.reason)
    wait_s = WAITS_S[delivery.attempts - 1] * (0.8 + 0.4 * draw)
    wait_s = max(wait_s, outcome.retry_after_s or 0.0)
    return replace(delivery, error=outcome.reason, due_at=now + int(wait_s * SECOND))


def _end(outcome: Outcome, after: Delivery | None, health: Health, now: int) -> str | None:
    """Why the webhook is to be disabled; None: it is not."""
    if outcome.delivery is Sent.GONE:
        return "gone"
    if after is None or after.state is not DeliveryState.DEAD or health.failing_since is None:
        return None
    return "failing" if now - health.failing_since >= FAILING else None
