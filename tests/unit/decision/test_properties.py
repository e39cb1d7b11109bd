"""What holds for every request and every policy.

"A missing part never gives a milder verdict" cannot hold against what the part would have said: nobody knows it. What
holds is: never milder than with the mildest answer the part could have given. (With the stages' own flags; a policy may
set a looser threshold for the anomaly models when the classifier is missing.)
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.policy import Policy
from assay.schemas.stages import Decision, DecisionRequest, DecisionResult, RulesFlag
from functions.decision_engine.engine import DecisionEngine
from tests.unit.decision.cases import (
    ALLOW,
    STRICTNESS,
    encoder,
    forest,
    policies,
    requests,
    rules,
    scored,
    scores,
)

MILDEST: dict[str, Any] = {
    "rules": ALLOW,
    "isolation_forest": forest(False),
    "autoencoder": encoder(False),
    "xgboost_classifier": scored(0.0),
    "profile_known": True,
}
ABSENT: dict[str, Any] = {**dict.fromkeys(MILDEST), "profile_known": False}


def decide(policy: Policy, request: DecisionRequest, **changes: Any) -> DecisionResult:
    return DecisionEngine(policy).decide(request.model_copy(update=changes))


def strictness(policy: Policy, request: DecisionRequest, **changes: Any) -> int:
    return STRICTNESS[decide(policy, request, **changes).decision]


@given(policies, requests())
@settings(max_examples=500, deadline=None)
def test_total_and_explained(policy: Policy, request: DecisionRequest) -> None:
    result = decide(policy, request)
    assert DecisionResult.model_validate_json(result.model_dump_json()) == result
    assert result == decide(policy, request)
    assert bool(result.reasons) is (result.decision is not Decision.APPROVE)
    assert len(result.reasons) <= policy.max_reasons
    weights = [reason.weight for reason in result.reasons]
    assert weights == sorted(weights, reverse=True)
    assert len({reason.code for reason in result.reasons}) == len(result.reasons)
    assert all(reason.analyst_text and reason.customer_text for reason in result.reasons)


@given(policies, requests(whole=True), scores, scores)
@settings(max_examples=500, deadline=None)
def test_a_higher_score_is_never_milder(policy: Policy, request: DecisionRequest, one: float, other: float) -> None:
    low, high = sorted((one, other))
    milder = strictness(policy, request, xgboost_classifier=scored(low))
    assert milder <= strictness(policy, request, xgboost_classifier=scored(high))


@given(policies, requests(), scores, scores)
@settings(max_examples=500, deadline=None)
def test_a_higher_score_is_never_milder_in_stand_in(
    policy: Policy, request: DecisionRequest, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    milder = strictness(policy, request, xgboost_classifier=scored(low))
    assert milder <= strictness(policy, request, xgboost_classifier=scored(high))


@given(policies, requests(), st.sampled_from(sorted(MILDEST)))
@settings(max_examples=1000, deadline=None)
def test_a_missing_part_is_never_milder_than_its_mildest_answer(
    policy: Policy, request: DecisionRequest, part: str
) -> None:
    absent = strictness(policy, request, **{part: ABSENT[part]})
    assert absent >= strictness(policy, request, **{part: MILDEST[part]})


@given(policies, requests())
@settings(max_examples=500, deadline=None)
def test_block_and_deny_list_always_decline(policy: Policy, request: DecisionRequest) -> None:
    assert decide(policy, request, rules=rules(RulesFlag.BLOCK)).decision is Decision.DECLINE
    assert decide(policy, request, deny_listed=True).decision is Decision.DECLINE


@given(policies, requests())
@settings(max_examples=500, deadline=None)
def test_stand_in_alone_never_declines(policy: Policy, request: DecisionRequest) -> None:
    result = decide(policy, request)
    whole = None not in (request.rules, request.isolation_forest, request.autoencoder, request.xgboost_classifier)
    if whole and request.profile_known:
        assert not result.stand_in
    if any(reason.code.startswith("stand_in:") for reason in result.reasons):
        assert (result.decision, result.stand_in) == (Decision.CHALLENGE, True)


@given(policies, requests(), st.floats(0.01, 1e6), st.floats(0.01, 1e6))
@settings(max_examples=300, deadline=None)
def test_a_larger_amount_is_never_milder(policy: Policy, request: DecisionRequest, one: float, other: float) -> None:
    low, high = sorted((one, other))
    milder = strictness(policy, request, amount=low)
    assert milder <= strictness(policy, request, amount=high) <= strictness(policy, request, amount=None)
