"""Records the alerts that events give rise to. Sending them is the business of `functions.alerts.delivery`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from assay import moments
from assay.alerts.config import AlertsConfig
from assay.alerts.ports import AlertStore
from assay.alerts.records import NewAlert
from assay.ports import OutboxEvent
from functions.alerts.routing import Router

AT_ONCE = 50
"""Alerts that are recorded together; between two such batches others have their turn."""


class AlertRecorder:
    """Consumer of the events that the configuration names. Idempotent: the store keeps the first of equal alerts."""

    name = "alerts"

    def __init__(self, store: AlertStore, config: AlertsConfig, now: Callable[[], int] = moments.now) -> None:
        """`now`: in microseconds."""
        self._store = store
        self._router = Router(config)
        self._now = now
        self.kinds: frozenset[str] | None = self._router.kinds

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Records all of them, or raises: `PoisonEvent`, `StorageError`."""
        now = self._now()
        alerts: list[NewAlert] = []
        for event in events:
            found = list(self._router.alerts(event.body, now))
            if found:
                alerts += found
                await asyncio.sleep(0)  # in a storm, what is being scored in this process goes first
        for start in range(0, len(alerts), AT_ONCE):
            await self._store.record(alerts[start : start + AT_ONCE])
