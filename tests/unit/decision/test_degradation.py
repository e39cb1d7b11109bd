"""Every row of the degradation table, its boundaries, and how rows combine."""

from __future__ import annotations

from typing import Any

import pytest

from assay.schemas.stages import Confidence, Decision, RulesFlag, StandInUsage
from functions.decision_engine.engine import DecisionEngine
from tests.unit.decision.cases import POLICY, encoder, forest, policy, request, rules, scored

ENGINE = DecisionEngine(POLICY)
NO_FOREST: dict[str, Any] = {"isolation_forest": None}
NO_ENCODER: dict[str, Any] = {"autoencoder": None}
NO_XGBOOST: dict[str, Any] = {"xgboost_classifier": None}
NO_RULES: dict[str, Any] = {"rules": None}
NO_PROFILE: dict[str, Any] = {"profile_known": False}
NO_MODELS = {**NO_FOREST, **NO_ENCODER, **NO_XGBOOST}
FLAG = {"rules": rules(RulesFlag.FLAG)}
BLOCK = {"rules": rules(RulesFlag.BLOCK)}


@pytest.mark.parametrize(
    ("parts", "amount", "decision", "triggered_by"),
    [
        # one anomaly model: the other one decides alone, without a limit
        (NO_FOREST, 1e6, "APPROVE", "ML_SCORE"),
        (NO_ENCODER, None, "APPROVE", "ML_SCORE"),
        ({**NO_FOREST, "autoencoder": encoder(True)}, 1.0, "CHALLENGE", "AE_RECONSTRUCTION"),
        ({**NO_ENCODER, "isolation_forest": forest(True)}, 1.0, "CHALLENGE", "IF_ANOMALY"),
        (
            {**NO_ENCODER, "isolation_forest": forest(True), "xgboost_classifier": scored(0.5)},
            1.0,
            "DECLINE",
            "ML_SCORE+IF_ANOMALY",
        ),
        ({**NO_FOREST, "xgboost_classifier": scored(0.8)}, 1.0, "DECLINE", "ML_SCORE"),
        ({**NO_FOREST, **FLAG}, 1.0, "CHALLENGE", "RULES_FLAG"),
        # XGBoost: the ceiling
        (NO_XGBOOST, 100.0, "APPROVE", "STAND_IN"),
        (NO_XGBOOST, 100.0001, "CHALLENGE", "STAND_IN"),
        (NO_XGBOOST, None, "CHALLENGE", "STAND_IN"),
        ({**NO_XGBOOST, "isolation_forest": forest(True)}, 100.0, "APPROVE", "STAND_IN"),
        (
            {**NO_XGBOOST, "isolation_forest": forest(True), "autoencoder": encoder(True)},
            1.0,
            "CHALLENGE",
            "IF_ANOMALY+AE_RECONSTRUCTION",
        ),
        ({**NO_XGBOOST, **FLAG}, 1.0, "CHALLENGE", "RULES_FLAG"),
        # two models: the floor
        ({**NO_XGBOOST, **NO_FOREST}, 30.0, "APPROVE", "STAND_IN"),
        ({**NO_XGBOOST, **NO_FOREST}, 30.0001, "CHALLENGE", "STAND_IN"),
        ({**NO_FOREST, **NO_ENCODER}, 30.0, "APPROVE", "ML_SCORE"),
        ({**NO_FOREST, **NO_ENCODER}, 30.0001, "CHALLENGE", "STAND_IN"),
        ({**NO_FOREST, **NO_ENCODER, "xgboost_classifier": scored(0.8)}, 1.0, "DECLINE", "ML_SCORE"),
        ({**NO_XGBOOST, **NO_FOREST, "autoencoder": encoder(True)}, 1.0, "CHALLENGE", "AE_RECONSTRUCTION"),
        # all models
        ({**NO_MODELS, **BLOCK}, 1.0, "DECLINE", "RULES_BLOCK_EARLY_EXIT"),
        ({**NO_MODELS, **FLAG}, 1.0, "CHALLENGE", "RULES_FLAG"),
        (NO_MODELS, 30.0, "APPROVE", "STAND_IN"),
        (NO_MODELS, 30.0001, "CHALLENGE", "STAND_IN"),
        (NO_MODELS, None, "CHALLENGE", "STAND_IN"),
        # rules engine
        (NO_RULES, 30.0, "APPROVE", "ML_SCORE"),
        (NO_RULES, 30.0001, "CHALLENGE", "STAND_IN"),
        ({**NO_RULES, "xgboost_classifier": scored(0.9)}, 1.0, "DECLINE", "ML_SCORE"),
        # profile
        (NO_PROFILE, 30.0, "APPROVE", "ML_SCORE"),
        (NO_PROFILE, 30.0001, "CHALLENGE", "STAND_IN"),
        ({**NO_PROFILE, "xgboost_classifier": scored(0.5)}, 1.0, "CHALLENGE", "ML_SCORE"),
        ({**NO_PROFILE, **BLOCK}, 1.0, "DECLINE", "RULES_BLOCK_EARLY_EXIT"),
        # combined: every limit holds
        ({**NO_RULES, **NO_XGBOOST}, 31.0, "CHALLENGE", "STAND_IN"),
        ({**NO_RULES, **NO_MODELS, **NO_PROFILE}, 30.0, "APPROVE", "STAND_IN"),
        ({**NO_RULES, **NO_MODELS, **NO_PROFILE}, 30.0001, "CHALLENGE", "STAND_IN"),
    ],
)
def test_rows(parts: dict[str, Any], amount: float | None, decision: str, triggered_by: str) -> None:
    result = ENGINE.decide(request(**{"amount": amount, **parts}))
    assert (result.decision.value, result.triggered_by) == (decision, triggered_by)
    assert result.stand_in is (triggered_by != "RULES_BLOCK_EARLY_EXIT")


@pytest.mark.parametrize("parts", [NO_MODELS, NO_RULES, NO_PROFILE, {**NO_FOREST, **NO_ENCODER}])
@pytest.mark.parametrize(
    ("count", "used", "amount", "approved"),
    [
        (4, 0.0, 30.0, True),
        (5, 0.0, 1.0, False),
        (3, 70.0, 30.0, True),
        (3, 70.0001, 30.0, False),
        (2, 30.1 + 30.1, 39.8 - 10.0, True),
        (3, 28.76 + 27.19 + 25.79, 18.26, True),  # 100.00000000000001 as floats
    ],
)
def test_the_floor_is_cumulative(parts: dict[str, Any], count: int, used: float, amount: float, approved: bool) -> None:
    result = ENGINE.decide(request(**parts, amount=amount, stand_in_usage=StandInUsage(count=count, amount=used)))
    assert (result.decision is Decision.APPROVE) is approved


def test_the_ceiling_is_not_cumulative() -> None:
    used = StandInUsage(count=50, amount=5000.0)
    assert ENGINE.decide(request(**NO_XGBOOST, amount=100.0, stand_in_usage=used)).decision is Decision.APPROVE


def test_a_ceiling_below_the_floor_holds_too() -> None:
    low = DecisionEngine(policy(stand_in={**POLICY.stand_in.model_dump(), "without_xgboost_ceiling": 10.0}))
    result = low.decide(request(**NO_MODELS, amount=20.0))
    assert result.decision is Decision.CHALLENGE
    assert [reason.code for reason in result.reasons] == ["stand_in:xgboost_classifier"]


def test_thresholds_for_the_subset() -> None:
    degraded = {
        "isolation_forest_alone": -0.05,
        "autoencoder_alone": 0.4,
        "without_xgboost": {"isolation_forest": 0.02, "autoencoder": 0.2},
    }
    engine = DecisionEngine(policy(degraded=degraded))

    def decision(**parts: Any) -> str:
        return engine.decide(request(**parts)).decision.value

    assert decision(**NO_ENCODER, isolation_forest=forest(True, -0.05)) == "APPROVE"  # not below
    assert decision(**NO_ENCODER, isolation_forest=forest(True, -0.051)) == "CHALLENGE"
    assert decision(**NO_FOREST, autoencoder=encoder(True, 0.4)) == "APPROVE"  # not above
    assert decision(**NO_FOREST, autoencoder=encoder(True, 0.41)) == "CHALLENGE"
    near = {"isolation_forest": forest(False, 0.01), "autoencoder": encoder(False, 0.21)}
    assert decision(**near) == "APPROVE"  # with everything present the stages' own flags count
    assert decision(**NO_XGBOOST, **near) == "CHALLENGE"
    assert decision(**NO_XGBOOST, **NO_ENCODER, isolation_forest=forest(True, -0.04)) == "APPROVE"


def test_without_a_score_there_is_no_confidence() -> None:
    assert ENGINE.decide(request(**NO_XGBOOST)).confidence is Confidence.LOW
    assert ENGINE.decide(request(**NO_RULES)).confidence is Confidence.HIGH
