"""Which declines freeze, and for how long; what the policy of it may say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assay.accounts.records import Cause
from assay.errors import PoisonEvent, PolicyError
from assay.moments import microseconds
from assay.policy import Actions, FreezeAfter, Policy
from functions.action_layer.events import Scored, read
from functions.action_layer.planning import freeze_for
from functions.decision_engine.degradation import PARTS
from tests.unit.decision.cases import POLICY, POLICY_TEXT

DECIDED = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3_600_000_000
ANY = Actions(freeze=[FreezeAfter(min_fraud_score=0.0, hours=1), FreezeAfter(triggered_by=["ML_SCORE"], hours=1)])


def scored(account: str | None = "a", **verdict: Any) -> Scored:
    facts = {
        "transaction_id": "t-1",
        "decision": "DECLINE",
        "decided_at": DECIDED,
        "fraud_score": 0.97,
        "triggered_by": "ML_SCORE",
        "triggered_rules": [],
        "degraded": [],
        "reasons": [{"code": "feature:amount", "weight": 2.0, "analyst_text": "amount 9", "customer_text": "Unusual."}],
    }
    body = {
        "event": "transaction.scored",
        "version": 1,
        "client_id": "shop",
        "transaction": {"account_id": account},
        "verdict": facts | verdict,
    }
    return Scored.model_validate(body, strict=False)


def hours(event: Scored, actions: Actions = POLICY.actions) -> float | None:
    found = freeze_for(event, actions)
    return None if found is None or found.until is None else (found.until - found.cause.decided_at) / HOUR


def test_the_file_says_what_the_code_assumes_of_older_ones() -> None:
    assert POLICY.actions == Actions()
    document = yaml.safe_load(POLICY_TEXT)
    del document["actions"]
    assert Policy.load(yaml.safe_dump(document)).actions == Actions()


def test_a_freeze_carries_its_cause_and_its_reasons() -> None:
    found = freeze_for(scored(), POLICY.actions)
    assert found is not None
    assert found.cause == Cause(microseconds(DECIDED), "shop", "t-1")
    assert [(r.code, r.analyst_text, r.customer_text) for r in found.reasons] == [
        ("feature:amount", "amount 9", "Unusual.")
    ]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ({}, 24),
        ({"fraud_score": 0.95}, 24),
        ({"fraud_score": 0.94}, None),
        ({"fraud_score": None}, None),
        ({"fraud_score": None, "triggered_by": "RULES_BLOCK_EARLY_EXIT"}, 24),
        ({"fraud_score": 0.6, "triggered_by": "ML_SCORE+IF_ANOMALY+AE_RECONSTRUCTION"}, None),
        ({"triggered_by": "DENY_LIST"}, None),
        ({"decision": "CHALLENGE"}, None),
        ({"decision": "APPROVE"}, None),
        ({"degraded": ["profile"]}, None),
    ],
)
def test_the_default_policy(verdict: dict[str, Any], expected: float | None) -> None:
    assert hours(scored(**verdict)) == expected


def test_without_an_account_there_is_nothing_to_freeze() -> None:
    assert freeze_for(scored(account=None), ANY) is None


@given(st.lists(st.sampled_from(PARTS), min_size=1), st.floats(0, 1))
def test_no_policy_freezes_on_stand_in_evidence(degraded: list[str], score: float) -> None:
    assert freeze_for(scored(degraded=degraded, fraud_score=score), ANY) is None


def test_the_first_row_that_holds_says_for_how_long() -> None:
    actions = Actions(
        freeze=[
            FreezeAfter(triggered_by=["IF_ANOMALY"], min_fraud_score=0.9, hours=1),
            FreezeAfter(rules=["amount_extreme_ratio"], hours=2),
            FreezeAfter(triggered_by=["IF_ANOMALY", "RULES_BLOCK_EARLY_EXIT"], hours=3),
        ]
    )
    both = {"triggered_by": "ML_SCORE+IF_ANOMALY", "triggered_rules": ["amount_extreme_ratio"]}
    assert hours(scored(**both), actions) == 1
    assert hours(scored(**both, fraud_score=0.8), actions) == 2
    assert hours(scored(triggered_by="ML_SCORE+IF_ANOMALY", fraud_score=0.8), actions) == 3
    assert hours(scored(triggered_by="ML_SCORE"), actions) is None
    assert freeze_for(scored(), Actions(freeze=[])) is None


def test_null_hours_are_until_somebody_releases() -> None:
    found = freeze_for(scored(), Actions(freeze=[FreezeAfter(min_fraud_score=0.9, hours=None)]))
    assert found is not None
    assert found.until is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"min_fraud_score": 0.9}, "actions.freeze[0].hours: Field required"),
        ({"hours": 1}, "triggered_by, rules or min_fraud_score must be given"),
        ({"hours": 1, "rules": None}, "triggered_by, rules or min_fraud_score must be given"),
        ({"hours": 0, "min_fraud_score": 0.9}, "actions.freeze[0].hours"),
        ({"hours": 8761, "min_fraud_score": 0.9}, "actions.freeze[0].hours"),
        ({"hours": "1", "min_fraud_score": 0.9}, "actions.freeze[0].hours"),
        ({"hours": 1, "min_fraud_score": 1.1}, "actions.freeze[0].min_fraud_score"),
        ({"hours": 1, "triggered_by": []}, "actions.freeze[0].triggered_by"),
        ({"hours": 1, "triggered_by": ["DENY_LIST"]}, "actions.freeze[0].triggered_by"),
        ({"hours": 1, "minfraud": 1.0}, "actions.freeze[0].minfraud: unknown key"),
    ],
)
def test_a_row_that_must_not_be_served_is_refused(row: dict[str, Any], message: str) -> None:
    document = yaml.safe_load(POLICY_TEXT) | {"actions": {"freeze": [row]}}
    with pytest.raises(PolicyError, match=r"policy\.yaml") as refused:
        Policy.load(yaml.safe_dump(document))
    assert message in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff", b'{"event":"transaction.scored","version":1}'])
def test_garbage_is_poison(body: bytes) -> None:
    with pytest.raises(PoisonEvent):
        read(body)
