"""A backtest against the rules engine's own evaluation, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import training
from assay.rules.ruleset import RuleSet
from assay.schemas.stages import RulesFlag
from training.backtest import Backtest, BacktestError, Hits, backtest, needed

DEFAULT = (Path(training.__file__).parent / "defaults" / "rules.yaml").read_text("utf-8")
RULE = """  - id: {id}
    name: {id}
    category: Velocity
    severity: {severity}
    when: {when}
    analyst_text: x
    customer_text: x
"""


def rules(*entries: tuple[str, str, str]) -> RuleSet:
    """Of (id, severity, condition)."""
    body = "".join(RULE.format(id=name, severity=severity, when=when) for name, severity, when in entries)
    return RuleSet.load(f"version: 1\nescalation: 0.9\nrules:\n{body}")


CURRENT = rules(
    ("many", "BLOCK", "tx_count_last_5m > 5"), ("large", "FLAG", "amount > 1000"), ("old", "FLAG", "is_weekend == 1")
)
PROPOSED = rules(
    ("many", "BLOCK", "tx_count_last_5m > 3"), ("large", "FLAG", "amount > 1000"), ("new", "BLOCK", "amount > 5000")
)
number = st.none() | st.sampled_from([0.0, 3.0, 4.0, 5.0, 6.0])
rows = st.lists(
    st.fixed_dictionaries(
        {
            "tx_count_last_5m": number,
            "amount": st.none() | st.sampled_from([10.0, 1000.0, 1000.01, 5000.01]),
            "is_weekend": st.none() | st.sampled_from([0.0, 1.0]),
            "is_fraud": st.none() | st.booleans(),
            "decision": st.sampled_from(["APPROVE", "CHALLENGE", "DECLINE"]),
        }
    ),
    min_size=1,
    max_size=30,
)
SCHEMA = {
    "tx_count_last_5m": pl.Float64,
    "amount": pl.Float64,
    "is_weekend": pl.Float64,
    "is_fraud": pl.Boolean,
    "decision": pl.String,
}


def counted(hits: Hits) -> dict[str, tuple[int, float]]:
    return {kind: (getattr(hits, kind).transactions, getattr(hits, kind).amount) for kind in Hits.model_fields}


def expected(found: list[dict[str, Any]], wanted: list[bool]) -> dict[str, tuple[int, float]]:
    kinds = {"fraud": True, "legitimate": False, "unknown": None}
    chosen = [row for row, want in zip(found, wanted, strict=True) if want]
    return {
        kind: (
            sum(row["is_fraud"] is label for row in chosen),
            round(sum(row["amount"] or 0.0 for row in chosen if row["is_fraud"] is label), 2),
        )
        for kind, label in kinds.items()
    }


@settings(max_examples=60)
@given(rows)
def test_it_counts_what_the_rules_engine_would_have_said(found: list[dict[str, Any]]) -> None:
    result = backtest(pl.DataFrame(found, schema=SCHEMA), CURRENT, PROPOSED)
    before, after = ([one.evaluate(row) for row in found] for one in (CURRENT, PROPOSED))
    for flag, change in ((RulesFlag.BLOCK, result.declines), (RulesFlag.FLAG, result.challenges)):
        had = [one.rules_flag is flag for one in before]
        has = [one.rules_flag is flag for one in after]
        gained = [new and not old for old, new in zip(had, has, strict=True)]
        assert counted(change.current) == expected(found, had)
        assert counted(change.proposed) == expected(found, has)
        assert counted(change.gained) == expected(found, gained)
        assert counted(change.lost) == expected(found, [old and not new for old, new in zip(had, has, strict=True)])
        assert change.gained_approved is not None
        approved = [row["decision"] == "APPROVE" and one for row, one in zip(found, gained, strict=True)]
        assert counted(change.gained_approved) == expected(found, approved)
    fired = [{rule.id for rule in one.fired} for one in after]
    for rule in result.rules:
        assert counted(rule.firings.proposed) == expected(found, [rule.id in one for one in fired])
        assert counted(rule.proposed_only) == expected(found, [one == {rule.id} for one in fired])
        assert rule.not_evaluated == sum(rule.id in one.not_evaluated for one in after)
    assert counted(result.labelled) == expected(found, [True] * len(found))


def test_what_became_of_each_rule() -> None:
    result = backtest(pl.DataFrame([{"amount": 1.0, "is_fraud": True}]), CURRENT, PROPOSED)
    assert {rule.id: rule.status for rule in result.rules} == {
        "many": "changed",
        "large": "same",
        "new": "added",
        "old": "removed",
    }
    assert result.declines.gained_approved is None  # this history has no decisions
    assert next(rule for rule in result.rules if rule.id == "many").not_evaluated == 1
    assert needed(CURRENT, PROPOSED) == ["amount", "is_weekend", "tx_count_last_5m"]


def test_the_same_rules_change_nothing() -> None:
    default = RuleSet.load(DEFAULT)
    result = backtest(pl.DataFrame({"amount": [20_000.0, 5.0], "is_fraud": [True, None]}), default, default)
    assert {rule.status for rule in result.rules} == {"same"}
    for change in (result.declines, result.challenges, *(rule.firings for rule in result.rules)):
        assert change.current == change.proposed
        assert sum(count for count, _ in (*counted(change.gained).values(), *counted(change.lost).values())) == 0
    assert result.challenges.proposed.precision == 1.0
    assert Backtest.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (pl.DataFrame({"amount": [1.0]}), "is_fraud"),
        (pl.DataFrame({"is_fraud": [True]}), "amount"),
        (pl.DataFrame(schema={"amount": pl.Float64, "is_fraud": pl.Boolean}), "rows"),
    ],
)
def test_a_history_that_cannot_be_used(history: pl.DataFrame, why: str) -> None:
    with pytest.raises(BacktestError, match=why):
        backtest(history, CURRENT, PROPOSED)
