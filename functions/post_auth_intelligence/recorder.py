"""Records every scored event, blocked ones too, with its features and release: what training will learn from."""

from __future__ import annotations

from collections.abc import Sequence

from assay.ports import OutboxEvent, ScoredEventStore
from assay.schemas.event import TRANSACTION_SCORED
from functions.post_auth_intelligence.events import read_recorded


class ScoredEventRecorder:
    """Consumer of `transaction.scored`. Idempotent: the store keeps the first of equal events."""

    name = "post_auth_intelligence"
    kinds: frozenset[str] | None = frozenset({TRANSACTION_SCORED})

    def __init__(self, store: ScoredEventStore) -> None:
        self._store = store

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Keeps all of them, or raises: `PoisonEvent`, or what the store raises."""
        await self._store.record([read_recorded(event.body) for event in events])
