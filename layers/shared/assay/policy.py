"""The policy of a release: every number of the decision and of its degradation table.

In the shared layer because three sides read it: the decision engine decides by it, the orchestrator takes its mode,
deadline and deny list, and training writes the degraded thresholds and the models' weight of evidence.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from assay.errors import PolicyError
from assay.schemas.base import Contract, Finite, Probability, Token
from assay.schemas.fields import Currency
from assay.validation import validated
from assay.yaml_file import load_mapping

FILE = "policy.yaml"
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


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


class Policy(Contract):
    """policy.yaml. Both thresholds are inclusive."""

    version: Annotated[int, Field(ge=1)]
    decline_above: Probability
    challenge_above: Probability
    boost_to_decline_when_both_flag: bool
    flag_escalates: bool
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
    model_evidence: ModelEvidence = ModelEvidence()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        bands = self.confidence
        _require(self.challenge_above <= self.decline_above, "challenge_above", "not above decline_above")
        _require(bands.medium.above <= bands.high.above, "confidence.medium.above", "not above confidence.high.above")
        _require(bands.medium.below >= bands.high.below, "confidence.medium.below", "not below confidence.high.below")
        _require(bands.medium.below <= bands.medium.above, "confidence.medium.below", "not above its own `above`")
        _require(self.stand_in.single <= self.stand_in.cumulative, "stand_in.single", "not above stand_in.cumulative")
        return self

    @classmethod
    def load(cls, text: str | bytes) -> Policy:
        """The policy of a file; PolicyError names the key that is wrong, missing or unknown."""
        return validated(Policy, load_mapping(text, PolicyError, FILE), PolicyError, FILE)


def _require(holds: bool, key: str, must_be: str) -> None:
    if not holds:
        raise PydanticCustomError("order", "{key} must be {must_be}", {"key": key, "must_be": must_be})
