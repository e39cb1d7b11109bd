"""The degradation table: what may be approved when a part is missing. Every number is in the policy.

| missing | limit above which APPROVE becomes CHALLENGE |
|---|---|
| one anomaly model | none; the other one decides alone, with its threshold for that |
| XGBoost | the ceiling, by amount; the anomaly models use their thresholds for that |
| two or all models | the floor |
| rules engine | the floor |
| profile | the floor |
| deny list | the floor |

Rows combine by strictness: every limit that applies must be kept, and a limit only ever turns APPROVE into CHALLENGE;
it never softens what the evidence at hand says. An amount that is unknown is above every limit.
"""

from __future__ import annotations

from typing import NamedTuple

from assay.policy import Policy
from assay.schemas.stages import AutoencoderScore, DecisionRequest, IsolationForestScore
from assay.texts import plain_value
from functions.decision_engine.table import Evidence

MODELS = ("isolation_forest", "autoencoder", "xgboost_classifier")
PARTS = (*MODELS, "rules_engine", "profile", "deny_list")


class Limit(NamedTuple):
    """A limit that was passed: the missing parts that set it, and what passed it, for the analyst."""

    parts: tuple[str, ...]
    passed_by: str


def missing_parts(request: DecisionRequest) -> tuple[str, ...]:
    """Names out of PARTS; empty when everything answered."""
    present = (
        request.isolation_forest is not None,
        request.autoencoder is not None,
        request.xgboost_classifier is not None,
        request.rules is not None,
        request.profile_known,
        request.deny_list_known,
    )
    return () if all(present) else tuple(part for part, there in zip(PARTS, present, strict=True) if not there)


def gather(request: DecisionRequest, policy: Policy) -> Evidence:
    """What the parts that answered say, by the thresholds of the subset of models that they are."""
    forest, encoder = request.isolation_forest, request.autoencoder
    scored = request.xgboost_classifier
    score = None if scored is None else scored.fraud_score
    flag = None if request.rules is None else request.rules.rules_flag
    if forest is not None and encoder is not None and score is not None:
        if_anomaly, ae_anomaly = forest.if_anomaly, encoder.ae_anomaly
        return Evidence(flag, score, if_anomaly, ae_anomaly, if_anomaly and ae_anomaly)
    degraded = policy.degraded
    if forest is not None and encoder is not None:
        if_anomaly = _forest_flags(forest, degraded.without_xgboost.isolation_forest)
        ae_anomaly = _encoder_flags(encoder, degraded.without_xgboost.autoencoder)
        return Evidence(flag, score, if_anomaly, ae_anomaly, if_anomaly and ae_anomaly)
    if_anomaly = forest is not None and _forest_flags(forest, degraded.isolation_forest_alone)
    ae_anomaly = encoder is not None and _encoder_flags(encoder, degraded.autoencoder_alone)
    return Evidence(flag, score, if_anomaly, ae_anomaly, if_anomaly or ae_anomaly)


def passed_limit(request: DecisionRequest, missing: tuple[str, ...], policy: Policy) -> Limit | None:
    """The first limit that the transaction passes; None when it may be approved."""
    models = tuple(part for part in missing if part in MODELS)
    others = tuple(part for part in missing if part not in MODELS)
    floor_parts = (*models, *others) if len(models) >= 2 else others
    if floor_parts:
        passed_by = _above_floor(request, policy)
        if passed_by:
            return Limit(floor_parts, passed_by)
    if "xgboost_classifier" in models:
        ceiling = policy.stand_in.without_xgboost_ceiling
        passed_by = _above(request.amount, ceiling)
        if passed_by:
            return Limit(("xgboost_classifier",), passed_by)
    return None


def _forest_flags(answer: IsolationForestScore, threshold: float | None) -> bool:
    return answer.if_anomaly if threshold is None else answer.if_score < threshold


def _encoder_flags(answer: AutoencoderScore, threshold: float | None) -> bool:
    return answer.ae_anomaly if threshold is None else answer.ae_error > threshold


def _above(amount: float | None, limit: float) -> str:
    if amount is None:
        return "the amount is unknown in the base currency"
    return f"amount {plain_value(amount)} is above {plain_value(limit)}" if amount > limit else ""


def _above_floor(request: DecisionRequest, policy: Policy) -> str:
    floor, usage = policy.stand_in, request.stand_in_usage
    passed_by = _above(request.amount, floor.single)
    if passed_by or request.amount is None:
        return passed_by
    if usage.count + 1 > floor.count:
        return f"the account already has {usage.count} stand-in approvals of at most {floor.count}"
    together = round(usage.amount + request.amount, 4)  # the resolution of amounts: sums of floats are not exact
    if together > floor.cumulative:
        return f"the account's stand-in approvals would reach {plain_value(together)}, above {floor.cumulative:g}"
    return ""
