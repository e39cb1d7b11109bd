"""Decision requests, ordinary and random, and the default policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import training
from assay.policy import Policy
from assay.schemas.stages import (
    AutoencoderScore,
    Contribution,
    Decision,
    DecisionRequest,
    FiredRule,
    FraudScore,
    IsolationForestScore,
    RulesFlag,
    RulesResult,
    StandInUsage,
)

POLICY_TEXT = (Path(training.__file__).parent / "defaults" / "policy.yaml").read_text("utf-8")
POLICY = Policy.load(POLICY_TEXT)
STRICTNESS = {Decision.APPROVE: 0, Decision.CHALLENGE: 1, Decision.DECLINE: 2}


def policy(**changes: Any) -> Policy:
    """The default policy with some keys changed."""
    return Policy.model_validate({**POLICY.model_dump(), **changes})


def forest(anomalous: bool, score: float | None = None) -> IsolationForestScore:
    value = (-0.1 if anomalous else 0.1) if score is None else score
    return IsolationForestScore(if_score=value, if_anomaly=anomalous)


def encoder(anomalous: bool, error: float | None = None) -> AutoencoderScore:
    value = (0.5 if anomalous else 0.1) if error is None else error
    shares = [Contribution(feature="amount", value=4200.0, contribution=0.4)] if anomalous else []
    return AutoencoderScore(ae_error=value, ae_threshold=0.31, ae_anomaly=anomalous, contributions=shares)


def scored(score: float, contributions: dict[str, float] | None = None) -> FraudScore:
    items = [Contribution(feature=name, value=3.0, contribution=by) for name, by in (contributions or {}).items()]
    return FraudScore(fraud_score=score, contributions=items)


def rule(name: str, severity: RulesFlag = RulesFlag.FLAG, evidence: float = 1.0) -> FiredRule:
    return FiredRule(
        id=name,
        category="Amount",
        severity=severity,
        analyst_text=f"{name} fired",
        customer_text="customer",
        evidence=evidence,
    )


def rules(flag: RulesFlag, fired: list[FiredRule] | None = None, escalated: bool = False) -> RulesResult:
    given = fired if fired is not None else ([] if flag is RulesFlag.ALLOW else [rule("r", flag)])
    return RulesResult(rules_flag=flag, fired=given, total_rules=16, escalated=escalated)


ALLOW = rules(RulesFlag.ALLOW)


def request(**parts: Any) -> DecisionRequest:
    """A quiet transaction with everything present, and what is changed of it."""
    quiet: dict[str, Any] = {
        "transaction_id": "t",
        "amount": 20.0,
        "rules": ALLOW,
        "isolation_forest": forest(False),
        "autoencoder": encoder(False),
        "xgboost_classifier": scored(0.05),
    }
    return DecisionRequest(**{**quiet, **parts})


amounts = st.none() | st.sampled_from((29.99, 30.0, 30.01, 100.0, 100.01, 5000.0)) | st.floats(0.01, 1e6)
scores = st.sampled_from((0.0, 0.15, 0.35, 0.49999, 0.5, 0.65, 0.79999, 0.8, 0.85, 1.0)) | st.floats(0, 1)
usages = st.builds(StandInUsage, count=st.integers(0, 6), amount=st.sampled_from((0.0, 70.0, 70.01, 100.0)))
_rules = st.sampled_from(
    (
        ALLOW,
        rules(RulesFlag.FLAG),
        rules(RulesFlag.FLAG, [rule("a", evidence=2.0), rule("b", evidence=-1.0)]),
        rules(RulesFlag.BLOCK),
        rules(RulesFlag.BLOCK, [rule(f"f{n}") for n in range(7)], escalated=True),
    )
)
_scored = st.builds(
    scored, scores, st.dictionaries(st.sampled_from(("amount", "hour_of_day", "tx_count_last_5m")), st.floats(-3, 3))
)


@st.composite
def requests(draw: st.DrawFn, whole: bool = False) -> DecisionRequest:
    """Any request; with `whole`, nothing is missing."""

    def part(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(strategy if whole else st.none() | strategy)

    return request(
        amount=draw(amounts),
        rules=part(_rules),
        isolation_forest=part(st.builds(forest, st.booleans())),
        autoencoder=part(st.builds(encoder, st.booleans())),
        xgboost_classifier=part(_scored),
        profile_known=True if whole else draw(st.booleans()),
        deny_listed=draw(st.integers(0, 9)) == 0,
        stand_in_usage=draw(usages),
    )


policies = st.builds(
    policy,
    flag_escalates=st.booleans(),
    flag_escalates_above=st.sampled_from((0.0, 0.01, 0.15, 0.49999, 0.5)),
    boost_to_decline_when_both_flag=st.booleans(),
    max_reasons=st.integers(1, 6),
)
