"""Sends the messages that are due: claimed, sent, settled. A crash in between sends a message twice, never not at all.

A message keeps its id in every attempt, so who receives it can tell.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from assay import moments
from assay.alerts.ports import AlertStore, Undelivered
from assay.alerts.records import Message, State
from assay.delivery import all_ended, rounds
from assay.features.windows import SECOND
from assay.webhooks.backoff import full_jitter
from functions.alerts.channels import Channel
from functions.alerts.mails import LISTED

log = logging.getLogger(__name__)
ATTEMPTS = 8
FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 4 * 3600.0
"""Seven waits of at most 1, 2, 4 .. 64 minutes, half of it on average: given up after about an hour."""
CLAIM_S = 60
"""Longer than an attempt takes: 10 s."""
AT_ONCE = 8
"""Messages of a channel that are on their way together."""


class Delivery:
    """Brings messages to their channels. Any number of processes may do it at once."""

    def __init__(
        self, store: AlertStore, channels: Mapping[str, Channel], now: Callable[[], int] = moments.now
    ) -> None:
        """`now`: in microseconds."""
        self._store = store
        self._channels = channels
        self._now = now

    @property
    def channels(self) -> Sequence[str]:
        """Names. Messages for others wait until these are configured again."""
        return tuple(self._channels)

    async def run(self, may_go_on: Callable[[], bool] = lambda: True) -> int:
        """Sends what is due, on all channels; returns how many attempts that took. Raises `StorageError`."""
        return sum(await all_ended(self.run_channel(channel, may_go_on) for channel in self._channels))

    async def run_channel(self, channel: str, may_go_on: Callable[[], bool] = lambda: True) -> int:
        """The same, on one channel."""

        def claim() -> Awaitable[list[Message]]:
            now = self._now()
            return self._store.claim(channel, now, now + CLAIM_S * SECOND, AT_ONCE)

        return await rounds(claim, self._attempt, may_go_on)

    async def _attempt(self, message: Message) -> None:
        failures = await self._failures(message)
        after = settled(message, failures, self._now(), random.random())
        if after.state is State.DEAD:
            log.error("%s of route %s is dead: %s", after.id, after.route, after.error)
        await self._store.settle(after)

    async def _failures(self, message: Message) -> Mapping[str, Undelivered]:
        """Whom the message did not reach, and why."""
        try:
            if message.attempts > ATTEMPTS:
                raise Undelivered("no attempt came to an end", is_permanent=True)
            alerts, count = await self._store.carried(message, LISTED)
            return await self._channels[message.channel].send(message, alerts, count)
        except Undelivered as error:
            return dict.fromkeys(message.recipients, error)


def settled(message: Message, failures: Mapping[str, Undelivered], now: int, draw: float) -> Message:
    """What becomes of a message after an attempt. `draw`: a random number of [0, 1)."""
    given_up = tuple(name for name, failure in failures.items() if failure.is_permanent)
    left = tuple(name for name in failures if name not in given_up)
    refused = message.refused + given_up
    error = next((str(failure) for failure in failures.values()), "")
    if left and message.attempts < ATTEMPTS:
        wait_s = max(failures[name].wait_s for name in left)
        wait_s = max(wait_s, full_jitter(message.attempts, FIRST_WAIT_S, LONGEST_WAIT_S, draw))
        return replace(message, recipients=left, refused=refused, error=error, due_at=now + int(wait_s * SECOND))
    if not left and not refused:
        return replace(message, recipients=(), error="", state=State.SENT)
    return replace(message, recipients=(), refused=refused + left, error=error or message.error, state=State.DEAD)
