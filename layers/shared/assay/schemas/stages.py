"""What the stages of the pipeline are asked and what they answer."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from assay.schemas.base import Contract, FeatureValue, Finite, Probability

ReleaseHash = Annotated[str, StringConstraints(max_length=64)]
"""No pattern: it is compared with the hashes that are known, and a pattern costs 2 us a verdict."""


class RulesFlag(StrEnum):
    """What the rules say of a transaction, all together."""

    ALLOW = "ALLOW"
    FLAG = "FLAG"
    BLOCK = "BLOCK"


class Decision(StrEnum):
    """What the caller is told to do."""

    APPROVE = "APPROVE"
    CHALLENGE = "CHALLENGE"
    DECLINE = "DECLINE"


class Confidence(StrEnum):
    """How far the fraud score is from the middle (seed B's bands, in the policy)."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class ScoringInput(Contract):
    """The one request of the rules engine and of every model stage.

    `features` maps the names of `assay.features.catalog` to values; a name that is absent is unknown.
    `explain` asks a model stage for its contributions even where they could not matter for the verdict.
    `release` is the hash of what the whole verdict is made by: a stage answers by it, or not at all. None: by the
    champion, as the stage knows it.
    """

    transaction_id: str
    features: dict[str, FeatureValue]
    explain: bool = False
    release: ReleaseHash | None = None


class FiredRule(Contract):
    """A rule that fired, with what a person needs to read about it."""

    id: str
    category: str
    severity: RulesFlag
    analyst_text: str
    customer_text: str
    evidence: Finite = 0.0
    """Weight of evidence in log-odds, measured when the release was trained."""


class RulesResult(Contract):
    """Answer of the rules engine."""

    rules_flag: RulesFlag
    fired: list[FiredRule]
    not_evaluated: list[str] = []
    """Ids of the rules whose inputs were unknown: reported, never counted as passed."""
    total_rules: int
    escalated: bool = False
    """True when BLOCK comes from the share of rules that fired, not from a BLOCK rule."""


class Contribution(Contract):
    """What one feature added to a model's output, in that model's own unit (log-odds for XGBoost)."""

    feature: str
    value: FeatureValue
    contribution: Finite


class IsolationForestScore(Contract):
    """scikit-learn's decision_function: below the threshold is anomalous."""

    if_score: Annotated[float, Field(ge=-1.0, le=1.0, allow_inf_nan=False)]
    if_anomaly: bool


class AutoencoderScore(Contract):
    """Mean squared reconstruction error of the scaled features; above the trained threshold is anomalous."""

    ae_error: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    ae_threshold: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    ae_anomaly: bool
    contributions: list[Contribution] = []
    """Each feature's share of the error, largest first; given when anomalous or asked for."""


class FraudScore(Contract):
    """Calibrated fraud probability, and exact TreeSHAP contributions in log-odds where they matter."""

    fraud_score: Probability
    contributions: list[Contribution] = []


class StandInUsage(Contract):
    """What was approved for an account without full scoring since the last full decision on it."""

    count: int = 0
    amount: Finite = 0.0
    """In the base currency."""


class DecisionRequest(Contract):
    """Everything the decision engine may look at. A None score means that the stage gave none."""

    transaction_id: str
    amount: Finite | None
    """In the base currency; None when there is no rate for the currency."""
    rules: RulesResult | None
    isolation_forest: IsolationForestScore | None
    autoencoder: AutoencoderScore | None
    xgboost_classifier: FraudScore | None
    profile_known: bool = True
    deny_listed: bool = False
    """The policy's deny list or a label denies one of the transaction's tokens, or its account is frozen."""
    deny_list_known: bool = True
    """False when it could not be found out whether the account is frozen."""
    trusted: bool = False
    """An analyst has cleared the account, not long ago."""
    stand_in_usage: StandInUsage = StandInUsage()
    release: ReleaseHash | None = None
    """As in `ScoringInput`."""


class Reason(Contract):
    """One thing that really moved the outcome."""

    code: str
    """`rule:<id>`, `feature:<name>`, `model:<stage>`, `stand_in:<what is missing>` or `trust:analyst`."""
    weight: Finite
    """Weight of evidence in log-odds; reasons are ranked by it across rules and models."""
    analyst_text: str
    customer_text: str


class DecisionResult(Contract):
    """Answer of the decision engine."""

    decision: Decision
    confidence: Confidence
    triggered_by: str
    reasons: list[Reason]
    is_early_exit: bool = False
    stand_in: bool = False
    """True when the degradation table, not the full decision table, gave the verdict."""
