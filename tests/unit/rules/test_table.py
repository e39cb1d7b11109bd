"""The table evaluation gives what the scalar evaluation gives, row by row."""

from __future__ import annotations

import math

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import RuleError
from assay.rules.expression import parse
from assay.rules.syntax import Condition
from assay.rules.table import evaluate_table
from assay.schemas.stages import RulesFlag
from tests.unit.rules.expressions import CATEGORIES, FLAGS, NUMBERS, rows, ruleset_of, sources


def _conditions(texts: list[str]) -> list[Condition]:
    conditions = []
    for text in texts:
        try:
            conditions.append(parse(text))
        except RuleError:
            continue
    return conditions or [parse("amount > 1")]


@given(
    texts=st.lists(sources, min_size=1, max_size=5),
    table=st.lists(rows(), min_size=1, max_size=8),
    dropped=st.sets(st.sampled_from((*NUMBERS, *FLAGS, *CATEGORIES)), max_size=2),
    blocking=st.lists(st.booleans(), min_size=5, max_size=5),
)
@settings(max_examples=300, deadline=None)
def test_table_equals_scalar(
    texts: list[str], table: list[dict[str, float | str | None]], dropped: set[str], blocking: list[bool]
) -> None:
    conditions = _conditions(texts)
    severities = [RulesFlag.BLOCK if block else RulesFlag.FLAG for block in blocking]
    rules = ruleset_of(conditions, severities)
    schema = {name: pl.String if name in CATEGORIES else pl.Float64 for name in (*NUMBERS, *FLAGS, *CATEGORIES)}
    for row in table:
        for name in dropped:
            row.pop(name, None)
    frame = pl.DataFrame([{name: row.get(name) for name in schema} for row in table], schema=schema).drop(dropped)
    answer = evaluate_table(rules, frame)
    assert answer.height == len(table)
    for position, row in enumerate(table):
        result, truths = rules.evaluate(row), rules.truths(row)
        assert [answer[rule.id][position] for rule in rules.rules] == truths
        assert answer["fired"][position] == len(result.fired)
        assert answer["rules_flag"][position] == result.rules_flag.value
        assert answer["escalated"][position] is result.escalated


def test_column_types() -> None:
    rules = ruleset_of(_conditions(["new_device_flag == 1", "tx_count_last_5m > 1", "channel == 'web'", "amount > 0"]))
    frame = pl.DataFrame(
        {
            "new_device_flag": [True, False, None],
            "tx_count_last_5m": pl.Series([1, 2, None], dtype=pl.Int32),
            "channel": pl.Series(["web", "atm", None], dtype=pl.Categorical),
            "amount": ["1", "2", "3"],  # text where a number belongs: unknown
        }
    )
    answer = evaluate_table(rules, frame)
    assert answer["r0"].to_list() == [True, False, None]
    assert answer["r1"].to_list() == [False, True, None]
    assert answer["r2"].to_list() == [True, False, None]
    assert answer["r3"].to_list() == [None, None, None]
    assert answer["fired"].to_list() == [2, 1, 0]


def test_nothing_known_and_nothing_there() -> None:
    rules = ruleset_of(_conditions(["amount > 1"]))
    answer = evaluate_table(rules, pl.DataFrame({"other": [1, 2]}))
    assert answer["r0"].to_list() == [None, None]
    assert answer["rules_flag"].to_list() == ["ALLOW", "ALLOW"]
    assert evaluate_table(rules, pl.DataFrame({"amount": [math.nan]}))["r0"].to_list() == [None]
    assert evaluate_table(rules, pl.DataFrame({"amount": pl.Series([], dtype=pl.Float64)})).height == 0


def test_what_is_not_a_number_is_unknown() -> None:
    sources_ = ["amount - amount_to_avg_ratio > 1", "amount * tx_count_last_5m > 1", "amount / amount_to_avg_ratio > 1"]
    rules = ruleset_of(_conditions(sources_))
    row = {"amount": math.inf, "amount_to_avg_ratio": math.inf, "tx_count_last_5m": 0.0}
    answer = evaluate_table(rules, pl.DataFrame([row]))
    assert [answer[rule.id][0] for rule in rules.rules] == rules.truths(row) == [None, None, None]
