"""Carries events from the outbox to the consumers of this process, each at its own pace, at least once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from assay.errors import StorageError
from assay.ports import Consumer, Outbox, OutboxEvent

log = logging.getLogger(__name__)
BATCH = 200
IDLE_S = 0.2
ATTEMPTS = 5
BACKOFF_S = 0.2


class Relay:
    """One task per consumer, so that a slow one holds nobody else up."""

    def __init__(
        self, outbox: Outbox, consumers: Sequence[Consumer], idle_s: Mapping[str, float] | None = None
    ) -> None:
        """`idle_s`: seconds that a consumer, by its name, leaves between batches that are not full."""
        self._outbox = outbox
        self._consumers = consumers
        self._idle_s = dict(idle_s or {})
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins delivering in the running event loop."""
        self._tasks = [asyncio.create_task(self._deliver(consumer)) for consumer in self._consumers]

    async def stop(self) -> None:
        """Stops where it is; the next start goes on from the consumers' places."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Delivers what is waiting now, then returns."""
        for consumer in self._consumers:
            while await self.deliver_batch(consumer):
                pass

    async def deliver_batch(self, consumer: Consumer) -> int:
        """Offers the next events to the consumer; returns how many there were."""
        events = await self._outbox.pending(consumer.name, BATCH, consumer.kinds)
        wanted = [event for event in events if consumer.kinds is None or event.kind in consumer.kinds]
        if wanted:
            try:
                await consumer.handle(wanted)
            except Exception:
                log.warning("%s: a batch failed, offering its events one by one", consumer.name)
                for event in wanted:
                    await self._deliver_one(consumer, event)
        if events:
            await self._outbox.advance(consumer.name, events[-1].sequence)
        return len(events)

    async def _deliver_one(self, consumer: Consumer, event: OutboxEvent) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await consumer.handle([event])
            except StorageError:
                raise  # the fault is not the event's: it stays in its place
            except Exception as error:
                if attempt == ATTEMPTS:
                    log.exception("%s: event %d goes to the dead letters", consumer.name, event.sequence)
                    await self._outbox.bury(consumer.name, event, f"{type(error).__name__}: {error}")
                    return
                await asyncio.sleep(BACKOFF_S * 2**attempt)
            else:
                return

    async def _deliver(self, consumer: Consumer) -> None:
        while True:
            try:
                delivered = await self.deliver_batch(consumer)
            except StorageError:
                log.exception("%s: delivery waits for the store", consumer.name)
                delivered = 0
            if delivered < BATCH:
                await asyncio.sleep(self._idle_s.get(consumer.name, IDLE_S))
