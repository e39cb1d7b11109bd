"""Reads what the function has to know of a scored transaction."""

from __future__ import annotations

from typing import Literal

from assay.schemas.base import Token
from assay.schemas.fields import Timestamp
from assay.schemas.scored import View, read_as
from assay.schemas.stages import Decision, Reason


class Transaction(View):
    """Of the request."""

    account_id: Token | None = None
    """A flat request has none."""


class Verdict(View):
    """Of `FraudVerdict`."""

    transaction_id: Token
    decision: Decision
    decided_at: Timestamp
    fraud_score: float | None
    triggered_by: str
    triggered_rules: list[str]
    degraded: list[str]
    reasons: list[Reason]


class Scored(View):
    """Of `TransactionScored`."""

    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: Token
    transaction: Transaction
    verdict: Verdict


def read(body: bytes) -> Scored:
    """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    return read_as(Scored, body)
