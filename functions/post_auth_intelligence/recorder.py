"""Records every scored event, blocked ones too, with its features and release: what training will learn from."""

from __future__ import annotations

from collections.abc import Sequence

from assay.ports import OutboxEvent, ScoredEvent, ScoredEventStore
from assay.schemas.event import TRANSACTION_SCORED
from assay.schemas.scored import read_scored


class ScoredEventRecorder:
    """Consumer of `transaction.scored`. Idempotent: the store keeps the first of equal events."""

    name = "post_auth_intelligence"
    kinds: frozenset[str] | None = frozenset({TRANSACTION_SCORED})

    def __init__(self, store: ScoredEventStore) -> None:
        self._store = store

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Keeps all of them, or raises: `PoisonEvent`, or what the store raises."""
        await self._store.record([read(event.body) for event in events])


def read(body: bytes) -> ScoredEvent:
    """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    event = read_scored(body)
    verdict = event.verdict
    return ScoredEvent(
        client_id=event.client_id,
        transaction_id=verdict.transaction_id,
        decided_at=verdict.decided_at,
        decision=verdict.decision,
        release_version=verdict.release.version,
        release_hash=verdict.release.hash,
        is_early_exit=verdict.is_early_exit,
        body=body,
    )
