"""Puts events into the feeds of the clients that they concern."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay import moments
from assay.client_events.ports import FeedStore
from assay.client_events.records import KINDS
from assay.ports import OutboxEvent
from functions.client_events.events import read


class ClientEventRecorder:
    """Consumer of the events that clients are told of. Idempotent: what is in a feed is not put there again."""

    name = "client_events"
    kinds: frozenset[str] | None = frozenset(KINDS)

    def __init__(self, feed: FeedStore, now: Callable[[], int] = moments.now) -> None:
        """`now`: in microseconds."""
        self._feed = feed
        self._now = now

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Records all of them, or raises: `PoisonEvent`, `StorageError`."""
        await self._feed.record([read(event.body) for event in events], self._now())
