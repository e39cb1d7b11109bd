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
        await each(asked([event.body for event in events]), self._challenges.open)


def asked(bodies: Sequence[bytes]) -> list[Asked]:
    """The challenges that the events ask for, each once. Raises `PoisonEvent`."""
    found = (read_asked(body) for body in bodies)
    return list({one.challenge_id: one for one in found if one is not None}.values())
