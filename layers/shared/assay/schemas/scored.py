"""A light view of `TransactionScored`: what consumers need of it. The rest is kept as it came, by those who need it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import PoisonEvent
from assay.schemas.base import Token
from assay.schemas.fields import Timestamp
from assay.schemas.stages import Decision


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class ScoredRelease(_Part):
    """The release that decided."""

    version: str
    hash: str


class ScoredVerdict(_Part):
    """Of the verdict."""

    transaction_id: Token
    decided_at: Timestamp
    decision: Decision
    is_early_exit: bool
    release: ScoredRelease


class ScoredHead(_Part):
    """Of the event. That it holds features and the transaction is checked, what they are is not."""

    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: Token
    features: Any
    transaction: Any
    verdict: ScoredVerdict


def read_scored(body: bytes) -> ScoredHead:
    """The view of an event's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    try:
        return ScoredHead.model_validate_json(body)
    except ValidationError as error:
        raise PoisonEvent(f"not a transaction.scored event: {error.error_count()} errors") from None
