"""Every row of the decision table and its boundaries; what the names and the confidence are."""

from __future__ import annotations

import pytest

from assay.schemas.stages import Confidence, Decision, RulesFlag
from functions.decision_engine.engine import DecisionEngine
from tests.unit.decision.cases import POLICY, encoder, forest, policy, request, rules, scored

ENGINE = DecisionEngine(POLICY)
BOTH = {"isolation_forest": forest(True), "autoencoder": encoder(True)}
ONLY_FOREST = {"isolation_forest": forest(True)}
ONLY_ENCODER = {"autoencoder": encoder(True)}
FLAG = {"rules": rules(RulesFlag.FLAG)}
BLOCK = {"rules": rules(RulesFlag.BLOCK)}
BELOW_HALF = 0.4999999999999999
BELOW_DECLINE = 0.7999999999999999


@pytest.mark.parametrize(
    ("score", "parts", "decision", "triggered_by"),
    [
        (0.0, BLOCK, "DECLINE", "RULES_BLOCK_EARLY_EXIT"),  # row 0
        (1.0, BLOCK, "DECLINE", "RULES_BLOCK_EARLY_EXIT"),
        (0.8, {}, "DECLINE", "ML_SCORE"),  # row 1
        (1.0, {**FLAG, **BOTH}, "DECLINE", "ML_SCORE"),
        (0.5, BOTH, "DECLINE", "ML_SCORE+IF_ANOMALY+AE_RECONSTRUCTION"),  # row 2
        (BELOW_DECLINE, {**FLAG, **BOTH}, "DECLINE", "ML_SCORE+IF_ANOMALY+AE_RECONSTRUCTION"),
        (0.0, FLAG, "CHALLENGE", "RULES_FLAG"),  # row 3
        (BELOW_HALF, {**FLAG, **BOTH}, "CHALLENGE", "RULES_FLAG"),
        (0.5, FLAG, "CHALLENGE", "ML_SCORE+RULES_FLAG"),
        (BELOW_DECLINE, {**FLAG, **ONLY_FOREST}, "CHALLENGE", "ML_SCORE+RULES_FLAG"),
        (0.5, {}, "CHALLENGE", "ML_SCORE"),  # row 4
        (0.5, ONLY_FOREST, "CHALLENGE", "ML_SCORE+IF_ANOMALY"),
        (BELOW_DECLINE, ONLY_ENCODER, "CHALLENGE", "ML_SCORE+AE_RECONSTRUCTION"),
        (0.0, BOTH, "CHALLENGE", "IF_ANOMALY+AE_RECONSTRUCTION"),  # row 5
        (BELOW_HALF, BOTH, "CHALLENGE", "IF_ANOMALY+AE_RECONSTRUCTION"),
        (BELOW_HALF, {}, "APPROVE", "ML_SCORE"),  # row 6: one flag of the two changes nothing
        (BELOW_HALF, ONLY_FOREST, "APPROVE", "ML_SCORE"),
        (0.0, ONLY_ENCODER, "APPROVE", "ML_SCORE"),
    ],
)
def test_rows(score: float, parts: dict, decision: str, triggered_by: str) -> None:
    result = ENGINE.decide(request(xgboost_classifier=scored(score), **parts))
    assert (result.decision.value, result.triggered_by) == (decision, triggered_by)
    assert result.is_early_exit is (triggered_by == "RULES_BLOCK_EARLY_EXIT")
    assert result.stand_in is False
    assert bool(result.reasons) is (decision != "APPROVE")


def test_an_early_exit_needs_no_model_and_is_no_stand_in() -> None:
    nothing = {"isolation_forest": None, "autoencoder": None, "xgboost_classifier": None}
    for parts in (nothing, {**nothing, "profile_known": False}):
        result = ENGINE.decide(request(**BLOCK, **parts))
        assert (result.decision, result.confidence) == (Decision.DECLINE, Confidence.HIGH)
        assert (result.is_early_exit, result.stand_in) == (True, False)


def test_switches_of_the_policy() -> None:
    calm = DecisionEngine(policy(flag_escalates=False, boost_to_decline_when_both_flag=False))
    assert calm.decide(request(**FLAG)).decision is Decision.APPROVE
    result = calm.decide(request(xgboost_classifier=scored(0.6), **BOTH))
    assert (result.decision, result.triggered_by) == (Decision.CHALLENGE, "ML_SCORE+IF_ANOMALY+AE_RECONSTRUCTION")
    assert [reason.code for reason in result.reasons] == ["model:xgboost_classifier"]  # the anomalies changed nothing


JUST_BELOW = 0.19999999999999998


@pytest.mark.parametrize(
    ("score", "parts", "decision", "triggered_by", "reasons"),
    [
        (0.2, FLAG, "CHALLENGE", "RULES_FLAG", ["rule:r"]),
        (JUST_BELOW, FLAG, "APPROVE", "ML_SCORE", []),
        (0.0, {**FLAG, **ONLY_FOREST}, "APPROVE", "ML_SCORE", []),
        # What is asked for another reason is not asked because of the rules.
        (JUST_BELOW, {**FLAG, **BOTH}, "CHALLENGE", "IF_ANOMALY+AE_RECONSTRUCTION", ["model:isolation_forest"]),
        (0.5, FLAG, "CHALLENGE", "ML_SCORE+RULES_FLAG", ["rule:r", "model:xgboost_classifier"]),
        (0.0, BLOCK, "DECLINE", "RULES_BLOCK_EARLY_EXIT", ["rule:r"]),
    ],
)
def test_a_flag_escalates_from_its_threshold_on(
    score: float, parts: dict, decision: str, triggered_by: str, reasons: list[str]
) -> None:
    engine = DecisionEngine(policy(flag_escalates_above=0.2))
    result = engine.decide(request(xgboost_classifier=scored(score), **parts))
    assert (result.decision.value, result.triggered_by) == (decision, triggered_by)
    assert [reason.code for reason in result.reasons][: len(reasons)] == reasons
    assert bool(result.reasons) is bool(reasons)
    if "RULES" not in triggered_by:
        assert not any(reason.code.startswith("rule:") for reason in result.reasons)


@pytest.mark.parametrize("others", [{}, {"isolation_forest": None}, {"profile_known": False}, {"autoencoder": None}])
def test_without_a_score_every_flag_escalates(others: dict) -> None:
    engine = DecisionEngine(policy(flag_escalates_above=0.5))
    result = engine.decide(request(xgboost_classifier=None, **FLAG, **others))
    assert (result.decision, result.triggered_by, result.stand_in) == (Decision.CHALLENGE, "RULES_FLAG", True)


@pytest.mark.parametrize(
    ("score", "confidence"),
    [
        (0.0, Confidence.HIGH),
        (0.15, Confidence.HIGH),
        (0.150001, Confidence.MEDIUM),
        (0.35, Confidence.MEDIUM),
        (0.350001, Confidence.LOW),
        (0.649999, Confidence.LOW),
        (0.65, Confidence.MEDIUM),
        (0.849999, Confidence.MEDIUM),
        (0.85, Confidence.HIGH),
        (1.0, Confidence.HIGH),
    ],
)
def test_confidence_bands_are_inclusive(score: float, confidence: Confidence) -> None:
    assert ENGINE.decide(request(xgboost_classifier=scored(score))).confidence is confidence


def test_the_deny_list_declines_whatever_else() -> None:
    nothing = {
        "rules": None,
        "isolation_forest": None,
        "autoencoder": None,
        "xgboost_classifier": None,
        "profile_known": False,
    }
    for parts, early in (({}, False), (BLOCK, False), (nothing, True)):
        result = ENGINE.decide(request(deny_listed=True, **parts))
        assert (result.decision, result.triggered_by) == (Decision.DECLINE, "DENY_LIST")
        assert [reason.code for reason in result.reasons] == ["rule:deny_list"]
        assert (result.is_early_exit, result.stand_in) == (early, False)
