"""The policy of a release: every number of the decision and of its degradation table.

In the shared layer because four sides read it: the decision engine decides by it, the orchestrator takes its mode,
deadline and deny list, the action layer what follows a decline, and training writes the degraded thresholds and the
models' weight of evidence.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from assay.errors import PolicyError
from assay.intelligence.drift_policy import DriftPolicy
from assay.intelligence.retraining_policy import RetrainingPolicy
from assay.schemas.base import Contract, Finite, Probability, Token
from assay.schemas.fields import Currency
from assay.validation import validated
from assay.yaml_file import load_mapping

FILE = "policy.yaml"
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Trigger = Literal["RULES_BLOCK_EARLY_EXIT", "ML_SCORE", "IF_ANOMALY", "AE_RECONSTRUCTION"]
"""What a DECLINE may come from (`triggered_by`), the deny list apart."""
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


def _require(holds: bool, key: str, must_be: str) -> None:
    if not holds:
        raise PydanticCustomError("order", "{key} must be {must_be}", {"key": key, "must_be": must_be})


class Band(Contract):
    """A confidence band: a fraud score `>= above` or `<= below` is in it."""

    above: Probability
    below: Probability


class ConfidenceBands(Contract):
    """HIGH, else MEDIUM, else LOW."""

    high: Band
    medium: Band


class StandIn(Contract):
    """What may be approved without full scoring. Amounts in the base currency; all limits inclusive."""

    single: NotNegative
    """One transaction."""
    cumulative: NotNegative
    """All of an account's stand-in approvals together, until a full decision on the account."""
    count: Annotated[int, Field(ge=0)]
    """Their number."""
    without_xgboost_ceiling: NotNegative
    """One transaction, when only the classifier is missing."""


class WithoutXgboost(Contract):
    """Anomaly thresholds used when the classifier is missing; null: the stage's own flag."""

    isolation_forest: Finite | None = None
    autoencoder: Positive | None = None


class Degraded(Contract):
    """Anomaly thresholds calibrated for a subset of the models; null: the stage's own flag.

    An `if_score` below its threshold is anomalous, an `ae_error` above its threshold is.
    """

    isolation_forest_alone: Finite | None = None
    autoencoder_alone: Positive | None = None
    without_xgboost: WithoutXgboost = WithoutXgboost()


class ModelEvidence(Contract):
    """Weight of evidence (log-odds) of an anomaly flag, measured in training: ranks it among the reasons."""

    isolation_forest: Finite = 0.0
    autoencoder: Finite = 0.0


class FreezeAfter(Contract):
    """Declines after which the account is frozen, and for how long. All that is given has to hold."""

    triggered_by: Annotated[list[Trigger], Field(min_length=1)] | None = None
    """One of these is among the decision's triggers."""
    rules: Annotated[list[Token], Field(min_length=1)] | None = None
    """Ids; one of them fired."""
    min_fraud_score: Probability | None = None
    hours: Annotated[int, Field(ge=1, le=8_760)] | None
    """From the decision on; null: until somebody releases the account."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        conditions = (self.triggered_by, self.rules, self.min_fraud_score)
        _require(conditions.count(None) < len(conditions), "triggered_by, rules or min_fraud_score", "given")
        return self


class Actions(Contract):
    """What follows a DECLINE.

    First match freezes the account; a decline that matches no row only declines. Two kinds never freeze: a decision
    that was made without some part, and one by the deny list (a frozen account would never come free).
    """

    freeze: list[FreezeAfter] = [
        FreezeAfter(triggered_by=["RULES_BLOCK_EARLY_EXIT"], hours=24),
        FreezeAfter(min_fraud_score=0.95, hours=24),
    ]


class ChallengeLimits(Contract):
    """How long a step-up may take, and how much may be tried."""

    ttl_s: Annotated[int, Field(ge=30, le=3_600)] = 300
    """From the verdict on."""
    tries: Annotated[int, Field(ge=1, le=10)] = 5
    """Of a challenge; the last wrong one fails it."""
    sends: Annotated[int, Field(ge=1, le=10)] = 3
    """Codes sent to an account in `sends_window_s`, over all its challenges."""
    sends_window_s: Annotated[int, Field(ge=60, le=86_400)] = 600


Hours = Annotated[int, Field(ge=1, le=8_760)]


class Deny(Contract):
    """For how long the tokens of a confirmed fraud are declined, from the label on. null: not at all.

    An account belongs to the victim, and a counterparty may be a shop that everybody uses: neither, unless it is said.
    """

    device_hours: Hours | None = 168
    account_hours: Hours | None = None
    counterparty_hours: Hours | None = None


class Feedback(Contract):
    """Labels: how many of one sender count per day (UTC) without a second person, and what follows from them."""

    per_person_and_day: Annotated[int, Field(ge=0)] = 200
    per_client_and_day: Annotated[int, Field(ge=0)] = 5_000
    deny: Deny = Deny()
    trust_hours: Hours | None = 168
    """How long an account that a false positive cleared is trusted: see the decision table. null: not at all."""


class ReleaseFiles(Protocol):
    """The verified files of a release."""

    def read(self, name: str) -> bytes:
        """Bytes of one file; ReleaseError when the release does not hold it."""
        ...


class Policy(Contract):
    """policy.yaml. All thresholds are inclusive."""

    version: Annotated[int, Field(ge=1)]
    decline_above: Probability
    challenge_above: Probability
    boost_to_decline_when_both_flag: bool
    flag_escalates: bool
    """A FLAG of the rules is a CHALLENGE from `flag_escalates_above` on, and whenever there is no score."""
    flag_escalates_above: Probability = 0.0
    confidence: ConfidenceBands
    max_reasons: Annotated[int, Field(ge=1, le=20)]
    base_currency: Currency
    mode: Literal["stand_in", "strict"]
    """`strict`: the orchestrator answers 502/503 instead of asking for a decision with a part missing."""
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)]
    """For the whole decision, warm."""
    deny_list: Annotated[list[Token], Field(max_length=5_000)] = []
    stand_in: StandIn
    degraded: Degraded = Degraded()
    challenge: ChallengeLimits = ChallengeLimits()
    model_evidence: ModelEvidence = ModelEvidence()
    actions: Actions = Actions()
    drift: DriftPolicy = DriftPolicy()
    retraining: RetrainingPolicy = RetrainingPolicy()
    feedback: Feedback = Feedback()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        bands = self.confidence
        _require(self.challenge_above <= self.decline_above, "challenge_above", "not above decline_above")
        _require(self.flag_escalates_above <= self.challenge_above, "flag_escalates_above", "not above challenge_above")
        _require(bands.medium.above <= bands.high.above, "confidence.medium.above", "not above confidence.high.above")
        _require(bands.medium.below >= bands.high.below, "confidence.medium.below", "not below confidence.high.below")
        _require(bands.medium.below <= bands.medium.above, "confidence.medium.below", "not above its own `above`")
        _require(self.stand_in.single <= self.stand_in.cumulative, "stand_in.single", "not above stand_in.cumulative")
        return self

    @classmethod
    def of(cls, release: ReleaseFiles) -> Policy:
        """The release's. Raises `PolicyError`, `ReleaseError`."""
        return cls.load(release.read(FILE))

    @classmethod
    def load(cls, text: str | bytes) -> Policy:
        """The policy of a file; PolicyError names the key that is wrong, missing or unknown."""
        return validated(Policy, load_mapping(text, PolicyError, FILE), PolicyError, FILE)
