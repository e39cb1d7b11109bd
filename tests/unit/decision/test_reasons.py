"""Reasons: only what moved the outcome, ranked together, both texts."""

from __future__ import annotations

import math

import pytest

from assay.errors import PolicyError
from assay.features.catalog import ALL
from assay.schemas.stages import Contribution, FraudScore, RulesFlag
from assay.validation import validated
from functions.decision_engine.engine import DecisionEngine
from functions.decision_engine.texts import Texts, load_texts
from tests.unit.decision.cases import POLICY, encoder, forest, policy, request, rule, rules, scored

ENGINE = DecisionEngine(POLICY)
PUSHING = {"amount": 1.5, "hour_of_day": -2.0, "tx_count_last_5m": 2.5, "account_age_days": 0.0}
EVIDENCE = {"model_evidence": {"isolation_forest": 0.5, "autoencoder": 3.0}}


def codes(parts: dict, engine: DecisionEngine = ENGINE) -> list[str]:
    return [reason.code for reason in engine.decide(request(**parts)).reasons]


def test_the_score_is_explained_by_what_pushed_it_up() -> None:
    parts = {"xgboost_classifier": scored(0.9, PUSHING), "rules": rules(RulesFlag.FLAG)}
    assert codes(parts) == ["feature:tx_count_last_5m", "feature:amount"]  # row 1: the rule changed nothing


def test_without_contributions_the_score_itself_is_the_reason() -> None:
    (reason,) = ENGINE.decide(request(xgboost_classifier=scored(0.9, {"amount": -1.0}))).reasons
    assert (reason.code, reason.analyst_text) == ("model:xgboost_classifier", "fraud probability 0.900")
    assert reason.weight == pytest.approx(math.log(9))
    assert math.isfinite(ENGINE.decide(request(xgboost_classifier=scored(1.0))).reasons[0].weight)


def test_rules_and_score_are_ranked_together() -> None:
    fired = rules(RulesFlag.FLAG, [rule("weak", evidence=0.1), rule("strong", evidence=2.0)])
    both = {"rules": fired, "xgboost_classifier": scored(0.6, PUSHING)}
    assert codes(both) == ["feature:tx_count_last_5m", "rule:strong", "feature:amount", "rule:weak"]
    below = {"rules": fired, "xgboost_classifier": scored(0.4, PUSHING)}
    assert codes(below) == ["rule:strong", "rule:weak"]  # the score alone would have approved


def test_the_same_fact_is_told_once_by_the_heavier() -> None:
    contributions = {"new_device_flag": 1.3, "amount": 0.5}
    told = ENGINE.decide(request(xgboost_classifier=scored(0.6, contributions))).reasons[0].analyst_text
    same = rule("new_device_flag", evidence=2.0).model_copy(update={"analyst_text": told})
    both = {"rules": rules(RulesFlag.FLAG, [same]), "xgboost_classifier": scored(0.6, contributions)}
    assert codes(both) == ["rule:new_device_flag", "feature:amount"]
    lighter = {**both, "rules": rules(RulesFlag.FLAG, [same.model_copy(update={"evidence": 0.2})])}
    assert codes(lighter) == ["feature:new_device_flag", "feature:amount"]


def test_a_block_is_explained_by_the_rules_that_block() -> None:
    fired = [rule("flag", evidence=9.0), rule("block", RulesFlag.BLOCK)]
    assert codes({"rules": rules(RulesFlag.BLOCK, fired)}) == ["rule:block"]
    seven = [rule(f"f{n}", evidence=float(n)) for n in range(7)]
    assert codes({"rules": rules(RulesFlag.BLOCK, seven, escalated=True)}) == [
        "rule:f6",
        "rule:f5",
        "rule:f4",
        "rule:f3",
    ]


def test_anomalies_are_named_when_they_triggered() -> None:
    both = {"isolation_forest": forest(True), "autoencoder": encoder(True)}
    engine = DecisionEngine(policy(**EVIDENCE))
    assert codes(both, engine) == ["model:autoencoder", "model:isolation_forest"]  # row 5
    four = {"amount": 4.0, "hour_of_day": 3.5, "tx_count_last_5m": 3.2, "account_age_days": 3.1}
    boosted = {**both, "xgboost_classifier": scored(0.6, four)}  # row 2 needed all three
    assert codes(boosted, engine) == [
        "feature:amount",
        "feature:hour_of_day",
        "model:autoencoder",
        "model:isolation_forest",
    ]
    assert codes({**boosted, "autoencoder": encoder(False)}, engine)[0] == "feature:amount"
    assert "model:isolation_forest" not in codes({**boosted, "autoencoder": encoder(False)}, engine)  # row 4


def test_the_autoencoder_says_which_features() -> None:
    both = {"isolation_forest": forest(True), "autoencoder": encoder(True)}
    texts = {reason.code: reason.analyst_text for reason in ENGINE.decide(request(**both)).reasons}
    assert (
        texts["model:autoencoder"]
        == "autoencoder: reconstruction error 0.5 is anomalous, most of it from amount (4,200)"
    )
    assert texts["model:isolation_forest"] == "isolation forest: score -0.100 is anomalous"


def test_a_passed_limit_is_explained_by_the_parts_that_set_it() -> None:
    parts = {"rules": None, "isolation_forest": None, "amount": 45.0}
    (reason,) = ENGINE.decide(request(**parts)).reasons  # one anomaly model sets no limit
    assert (reason.code, reason.weight) == ("stand_in:rules_engine", 0.0)
    assert reason.analyst_text == "decided without the rules: amount 45 is above 30"
    assert not any(character.isdigit() for character in reason.customer_text)
    all_gone = {**parts, "autoencoder": None, "xgboost_classifier": None, "profile_known": False}
    assert len(codes(all_gone)) == POLICY.max_reasons


def test_a_challenge_by_evidence_is_not_called_stand_in() -> None:
    assert codes({"xgboost_classifier": None, "rules": rules(RulesFlag.FLAG), "amount": 500.0}) == ["rule:r"]


def test_max_reasons() -> None:
    one = DecisionEngine(policy(max_reasons=1))
    assert codes({"xgboost_classifier": scored(0.9, PUSHING)}, one) == ["feature:tx_count_last_5m"]


@pytest.mark.parametrize("feature", ALL, ids=lambda feature: feature.name)
def test_every_feature_has_both_texts_for_every_value(feature) -> None:
    for value in (0.0, 1.0, 12345.678, None) if feature.kind != "category" else ("GH", None):
        item = Contribution(feature=feature.name, value=value, contribution=1.0)
        answer = FraudScore(fraud_score=0.9, contributions=[item])
        (reason,) = ENGINE.decide(request(xgboost_classifier=answer)).reasons
        assert "{" not in reason.analyst_text + reason.customer_text
        assert ("unknown" in reason.analyst_text) is (value is None)
        if feature.kind != "flag" and value is not None:
            assert (value if isinstance(value, str) else f"{value:,.2f}".rstrip("0").rstrip(".")) in reason.analyst_text


def test_customers_are_told_no_means_of_detection() -> None:
    forbidden = (
        "model",
        "rule",
        "score",
        "fraud",
        "anomal",
        "threshold",
        "velocity",
        "forest",
        "encoder",
        "list",
        "limit",
    )
    for text in load_texts().customer.values():
        assert not any(character.isdigit() for character in text)
        assert not any(word in text.casefold() for word in forbidden), text


def test_a_feature_of_a_newer_release_still_gets_a_text() -> None:
    assert load_texts().feature("novel", 3.0)[0] == "novel is 3"


def test_texts_that_are_not_complete_are_refused() -> None:
    whole = load_texts().model_dump()
    for key in ("features", "models", "stand_in"):
        name, pairs = next(iter(whole[key].items())), whole[key]
        with pytest.raises(PolicyError, match=name[0]):
            validated(
                Texts, {**whole, key: {k: v for k, v in pairs.items() if k != name[0]}}, PolicyError, "texts.yaml"
            )
    with pytest.raises(PolicyError, match="no customer text"):
        validated(Texts, {**whole, "deny_list": {"analyst": "a", "customer": "none"}}, PolicyError, "texts.yaml")
    amount = {**whole["features"]["amount"], "analyst_zero": "a"}
    with pytest.raises(PolicyError, match="amount: analyst_zero"):
        validated(Texts, {**whole, "features": {**whole["features"], "amount": amount}}, PolicyError, "texts.yaml")
