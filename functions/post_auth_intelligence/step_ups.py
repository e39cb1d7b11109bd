"""Records how step-ups ended: seen beside the labels, and counted by nothing that counts labels."""

from __future__ import annotations

from collections.abc import Sequence

from assay.labels.step_ups import StepUpStore
from assay.ports import OutboxEvent
from functions.post_auth_intelligence.events import DECISION_FINAL, read_step_up


class StepUpRecorder:
    """Consumer of `decision.final`. Idempotent: the store keeps the first of a transaction."""

    name = "step_ups"
    kinds: frozenset[str] | None = frozenset({DECISION_FINAL})

    def __init__(self, store: StepUpStore) -> None:
        self._store = store

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Keeps all of them, or raises: `PoisonEvent`, `StorageError`."""
        await self._store.record([read_step_up(event.body) for event in events])
