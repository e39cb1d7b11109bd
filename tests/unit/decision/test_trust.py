"""An account that an analyst has cleared is spared challenges by flags, and nothing else."""

from __future__ import annotations

from hypothesis import given

from assay.schemas.stages import Decision, DecisionRequest, RulesFlag
from functions.decision_engine.engine import DecisionEngine
from functions.decision_engine.table import TRUSTED
from tests.unit.decision.cases import POLICY, encoder, forest, policy, request, requests, rules, scored

ENGINE = DecisionEngine(POLICY)


def test_flags_alone_challenge_nobody_who_is_trusted() -> None:
    anomalous = {"isolation_forest": forest(True), "autoencoder": encoder(True)}
    for parts in ({"rules": rules(RulesFlag.FLAG)}, anomalous):
        assert ENGINE.decide(request(**parts)).decision is Decision.CHALLENGE
        spared = ENGINE.decide(request(trusted=True, **parts))
        assert (spared.decision, spared.triggered_by) == (Decision.APPROVE, "ANALYST_TRUST")
        (reason,) = spared.reasons
        assert (reason.code, reason.weight) == ("trust:analyst", 0.0)


def test_trust_spares_a_flag_that_the_score_let_escalate() -> None:
    engine = DecisionEngine(policy(flag_escalates_above=0.2))
    flagged = {"rules": rules(RulesFlag.FLAG), "xgboost_classifier": scored(0.3)}
    assert engine.decide(request(**flagged)).triggered_by == "RULES_FLAG"
    assert engine.decide(request(trusted=True, **flagged)).triggered_by == "ANALYST_TRUST"
    below = request(trusted=True, rules=rules(RulesFlag.FLAG), xgboost_classifier=scored(0.1))
    assert engine.decide(below).triggered_by == "ML_SCORE"  # nothing to spare


def test_a_score_a_block_and_a_missing_part_stand() -> None:
    for parts in (
        {"xgboost_classifier": scored(0.6)},
        {"xgboost_classifier": scored(0.6), "rules": rules(RulesFlag.FLAG)},
        {"xgboost_classifier": scored(0.9)},
        {"rules": rules(RulesFlag.BLOCK)},
        {"xgboost_classifier": None, "rules": rules(RulesFlag.FLAG)},
        {"deny_listed": True},
    ):
        assert ENGINE.decide(request(trusted=True, **parts)) == ENGINE.decide(request(**parts))


@given(requests())
def test_trust_makes_no_other_difference(asked: DecisionRequest) -> None:
    plain = ENGINE.decide(asked)
    trusted = ENGINE.decide(asked.model_copy(update={"trusted": True}))
    if trusted != plain:
        assert (plain.decision, trusted.triggered_by) == (Decision.CHALLENGE, TRUSTED.triggered_by)
        assert "ML_SCORE" not in plain.triggered_by and not plain.stand_in
