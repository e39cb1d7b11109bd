"""Publishes what a crash, or a topic that was down, left in the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from assay.errors import StorageError
from assay.features.windows import SECOND
from assay.moments import now

log = logging.getLogger(__name__)


class Waiting(Protocol):
    """An event that waits. `arrival` in microseconds since the epoch."""

    @property
    def arrival(self) -> int:
        """When it was committed."""
        ...


Event = TypeVar("Event", bound=Waiting)


class Outbox(Protocol[Event]):
    """Events by shard. Every method raises `StorageError`."""

    @property
    def shards(self) -> int:
        """How many there are."""
        ...

    def waiting(self, shard: int, before: int) -> AsyncGenerator[Event, None]:
        """The shard's events that arrived before then, oldest first."""
        ...

    async def deliver(self, event: Event) -> None:
        """Publishes the event and forgets it."""
        ...


@dataclass(slots=True)
class Swept:
    """What a sweep came to: events swept and failed; shards it could not read, and those it had no time to finish.

    `oldest_s` is the age of the oldest event that waited.
    """

    swept: int = 0
    failed: int = 0
    unreadable: int = 0
    unfinished: int = 0
    oldest_s: float = 0.0


class Sweeper(Generic[Event]):
    """Goes through all shards at once, one event after the other in each. What fails stays for the next sweep."""

    def __init__(self, outbox: Outbox[Event], after_s: int, clock: Callable[[], int] = now) -> None:
        """Events younger than `after_s` are left to whoever committed them. `clock` gives microseconds."""
        self._outbox = outbox
        self._after = after_s * SECOND
        self._clock = clock

    async def sweep(self, has_time: Callable[[], bool]) -> Swept:
        """Sweeps until nothing is left to try, or there is no time for another event."""
        result = Swept()
        started = self._clock()
        await asyncio.gather(*(self._shard(shard, started, has_time, result) for shard in range(self._outbox.shards)))
        return result

    async def _shard(self, shard: int, started: int, has_time: Callable[[], bool], result: Swept) -> None:
        try:
            async with aclosing(self._outbox.waiting(shard, started - self._after)) as events:
                async for event in events:
                    result.oldest_s = max(result.oldest_s, (started - event.arrival) / SECOND)
                    if not has_time():
                        result.unfinished += 1
                        return
                    await self._deliver(event, result)
        except StorageError as error:
            result.unreadable += 1
            log.error("shard %d of the outbox: %s", shard, error)

    async def _deliver(self, event: Event, result: Swept) -> None:
        try:
            await self._outbox.deliver(event)
        except StorageError as error:
            result.failed += 1
            log.error("an event stays in the outbox: %s", error)
        else:
            result.swept += 1
