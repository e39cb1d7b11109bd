"""The decision table: what the evidence at hand says. First match wins; all thresholds are inclusive.

A part that is missing says nothing here; what may be approved without it is `degradation`'s business.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from assay.policy import Policy
from assay.schemas.stages import Confidence, Decision, RulesFlag

Mover = Literal["rules", "fraud_score", "isolation_forest", "autoencoder"]


class Evidence(NamedTuple):
    """What the parts that answered say. Rules that BLOCK never come this far (row 0)."""

    rules_flag: RulesFlag | None
    fraud_score: float | None
    if_anomaly: bool
    ae_anomaly: bool
    anomalous: bool
    """Both anomaly models flag; when one is missing: the one that is left flags."""


class Outcome(NamedTuple):
    """A verdict, its name in seed B's terms, and the parts whose answers made it."""

    decision: Decision
    triggered_by: str
    movers: tuple[Mover, ...] = ()


DENIED = Outcome(Decision.DECLINE, "DENY_LIST")
BLOCKED = Outcome(Decision.DECLINE, "RULES_BLOCK_EARLY_EXIT", ("rules",))
DECLINED = Outcome(Decision.DECLINE, "ML_SCORE", ("fraud_score",))
FLAGGED = Outcome(Decision.CHALLENGE, "RULES_FLAG", ("rules",))
FLAGGED_AND_SCORED = Outcome(Decision.CHALLENGE, "ML_SCORE+RULES_FLAG", ("rules", "fraud_score"))
APPROVED = Outcome(Decision.APPROVE, "ML_SCORE")
TRUSTED = Outcome(Decision.APPROVE, "ANALYST_TRUST")
STAND_IN_APPROVED = Outcome(Decision.APPROVE, "STAND_IN")
STAND_IN_CHALLENGED = Outcome(Decision.CHALLENGE, "STAND_IN")


def rows_1_to_6(evidence: Evidence, policy: Policy) -> Outcome:
    """The rows after row 0. A missing fraud score reaches no threshold."""
    score = -1.0 if evidence.fraud_score is None else evidence.fraud_score
    if score >= policy.decline_above:
        return DECLINED
    challenged = score >= policy.challenge_above
    if challenged and evidence.anomalous and policy.boost_to_decline_when_both_flag:
        return _with_anomalies(Decision.DECLINE, evidence, ("fraud_score", *_flagging(evidence)))
    if evidence.rules_flag == RulesFlag.FLAG and _flag_escalates(evidence.fraud_score, policy):
        return FLAGGED_AND_SCORED if challenged else FLAGGED
    if challenged:
        return _with_anomalies(Decision.CHALLENGE, evidence, ("fraud_score",))
    if evidence.anomalous:
        return Outcome(Decision.CHALLENGE, "+".join(_anomaly_names(evidence)), _flagging(evidence))
    return APPROVED if evidence.fraud_score is not None else STAND_IN_APPROVED


def trust_clears(outcome: Outcome) -> bool:
    """Whether trust in the account is enough: a challenge by flags only, without any part of the fraud score in it."""
    return outcome.decision is Decision.CHALLENGE and "fraud_score" not in outcome.movers


def confidence(fraud_score: float | None, policy: Policy) -> Confidence:
    """How far the score is from the middle; without a score there is little to be confident of."""
    if fraud_score is None:
        return Confidence.LOW
    bands = policy.confidence
    if fraud_score >= bands.high.above or fraud_score <= bands.high.below:
        return Confidence.HIGH
    if fraud_score >= bands.medium.above or fraud_score <= bands.medium.below:
        return Confidence.MEDIUM
    return Confidence.LOW


def _flag_escalates(fraud_score: float | None, policy: Policy) -> bool:
    """A score may overrule a FLAG by being low; no score overrules nothing."""
    return policy.flag_escalates and (fraud_score is None or fraud_score >= policy.flag_escalates_above)


def _with_anomalies(decision: Decision, evidence: Evidence, movers: tuple[Mover, ...]) -> Outcome:
    return Outcome(decision, "+".join(("ML_SCORE", *_anomaly_names(evidence))), movers)


def _anomaly_names(evidence: Evidence) -> list[str]:
    names = ["IF_ANOMALY"] if evidence.if_anomaly else []
    return [*names, "AE_RECONSTRUCTION"] if evidence.ae_anomaly else names


def _flagging(evidence: Evidence) -> tuple[Mover, ...]:
    movers: tuple[Mover, ...] = ("isolation_forest",) if evidence.if_anomaly else ()
    return (*movers, "autoencoder") if evidence.ae_anomaly else movers
