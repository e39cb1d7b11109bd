"""Begins the challenges that verdicts ask for."""

from __future__ import annotations

from collections.abc import Sequence

from assay.challenges.scored import Asked, read_asked
from assay.ports import OutboxEvent
from assay.schemas.event import TRANSACTION_SCORED
from functions.challenges.service import Challenges, each


class ChallengeOpener:
    """Consumer of `transaction.scored`. Idempotent: a challenge that is known is left as it is."""

    name = "challenges"
    kinds: frozenset[str] | None = frozenset({TRANSACTION_SCORED})

    def __init__(self, challenges: Challenges) -> None:
        self._challenges = challenges

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Begins all of them, or raises: `PoisonEvent`, `StorageError`."""
        await self.open([read_asked(event.body) for event in events])

    async def open(self, asked: Sequence[Asked | None]) -> None:
        """Begins those that events ask for, each once. Raises `StorageError`; then some may have begun."""
        await each(list({one.challenge_id: one for one in asked if one is not None}.values()), self._challenges.open)
