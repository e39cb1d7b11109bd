"""Reads what the function has to know of a scored transaction."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import PoisonEvent
from assay.schemas.base import Token
from assay.schemas.fields import Timestamp
from assay.schemas.stages import Decision, Reason


class _Part(BaseModel):
    """What is needed of a part; the rest is passed over."""

    model_config = ConfigDict(strict=True, frozen=True)


class Transaction(_Part):
    """Of the request."""

    account_id: Token | None = None
    """A flat request has none."""


class Verdict(_Part):
    """Of `FraudVerdict`."""

    transaction_id: Token
    decision: Decision
    decided_at: Timestamp
    fraud_score: float | None
    triggered_by: str
    triggered_rules: list[str]
    degraded: list[str]
    reasons: list[Reason]


class Scored(_Part):
    """Of `TransactionScored`."""

    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: Token
    transaction: Transaction
    verdict: Verdict


def read(body: bytes) -> Scored:
    """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    try:
        return Scored.model_validate_json(body)
    except ValidationError as error:
        raise PoisonEvent(f"not a transaction.scored event: {error.error_count()} errors") from None
