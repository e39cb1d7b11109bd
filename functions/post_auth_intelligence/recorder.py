"""Records every scored event, blocked ones too, with its features and release: what training will learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import PoisonEvent
from assay.ports import OutboxEvent, ScoredEvent, ScoredEventStore
from assay.schemas.fields import Timestamp
from assay.schemas.stages import Decision


class _Release(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    version: str
    hash: str


class _Verdict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    transaction_id: str
    decided_at: Timestamp
    decision: Decision
    is_early_exit: bool
    release: _Release


class _Head(BaseModel):
    """What is needed of `TransactionScored`; the rest is kept as it came, and read by those who need it."""

    model_config = ConfigDict(strict=True, frozen=True)
    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: str
    features: Any
    transaction: Any
    verdict: _Verdict


class ScoredEventRecorder:
    """Consumer of `transaction.scored`. Idempotent: the store keeps the first of equal events."""

    name = "post_auth_intelligence"

    def __init__(self, store: ScoredEventStore) -> None:
        self._store = store

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Keeps all of them, or raises: `PoisonEvent`, or what the store raises."""
        await self._store.record([read(event.body) for event in events])


def read(body: bytes) -> ScoredEvent:
    """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    try:
        event = _Head.model_validate_json(body)
    except ValidationError as error:
        raise PoisonEvent(f"not a transaction.scored event: {error.error_count()} errors") from None
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
