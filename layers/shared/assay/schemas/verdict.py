"""What Assay answers, and the event it emits about it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from assay.schemas.base import Contract, FeatureValue, Finite
from assay.schemas.geoip import GeoIpResult
from assay.schemas.stages import Confidence, Decision, Reason, RulesFlag, StandInUsage
from assay.schemas.transaction import FlatTransaction, TransactionRequest


class ReleaseRef(Contract):
    """Which release decided."""

    version: str
    hash: str


class ChallengeRef(Contract):
    """The step-up that a CHALLENGE asks for, of a transaction with an account (`/challenges/{id}`)."""

    id: str
    expires_at: datetime


class FraudVerdict(Contract):
    """The answer of `POST /score`. A retry of the same transaction gets these very bytes again."""

    transaction_id: str
    decision: Decision
    confidence: Confidence
    fraud_score: float | None = Field(description="Calibrated fraud probability; null when not scored.")
    if_score: float | None
    ae_error: float | None
    rules_flag: RulesFlag | None
    triggered_rules: list[str]
    rules_not_evaluated: list[str]
    reasons: list[Reason]
    triggered_by: str
    is_early_exit: bool
    degraded: list[str] = Field(description="The parts this decision was made without; empty when whole.")
    release: ReleaseRef
    challenge: ChallengeRef | None
    decided_at: datetime
    timings_us: dict[str, int] = Field(description="Microseconds per stage.")


class TransactionScored(Contract):
    """Event: a transaction was decided. Goes to every consumer, blocked transactions too."""

    event: Literal["transaction.scored"] = "transaction.scored"
    version: Literal[1] = 1
    client_id: str
    occurred_at: datetime
    transaction: TransactionRequest | FlatTransaction
    features: dict[str, FeatureValue]
    amount_base: Finite | None
    geoip: GeoIpResult | None = None
    """Where the address was found to be, when that was asked: `geo_country` was not sent."""
    stand_in_usage: StandInUsage = StandInUsage()
    """What the decision was made with; events from before this field have none."""
    verdict: FraudVerdict
