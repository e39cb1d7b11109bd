"""How customers came out of step-ups: weak evidence of what their transactions were, never a label.

Whoever passes one may still be a thief with the telephone, and whoever lets it expire may have lost patience.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class StepUpOutcome(StrEnum):
    """Final."""

    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class StepUp:
    """Of one transaction, which is challenged once."""

    client_id: str
    transaction_id: str
    outcome: StepUpOutcome
    at: int
    """In microseconds since the epoch."""


class StepUpStore(Protocol):
    """By client and transaction. Every method raises `StorageError`."""

    async def record(self, step_ups: Sequence[StepUp]) -> None:
        """Keeps those whose transactions have none yet."""
        ...

    async def get(self, client_id: str, transaction_id: str) -> StepUp | None:
        """Of the transaction, if it was challenged and that has come to its end."""
        ...
