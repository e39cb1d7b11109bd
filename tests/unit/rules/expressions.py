"""Random rules and random rows, and a rule set made of bare conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import strategies as st

from assay.rules.ruleset import Rule, RuleSet
from assay.rules.scalar import compile_condition
from assay.rules.syntax import Condition
from assay.schemas.stages import RulesFlag
from assay.texts import Template

NUMBERS = ("amount", "amount_to_avg_ratio", "tx_count_last_5m", "accounts_per_device")
COUNTS = ("tx_count_last_5m", "accounts_per_device")
FLAGS = ("new_device_flag", "is_weekend")
CATEGORIES = {"channel": ("mobile", "web", "atm"), "geo_country": ("GH", "NG", "DE")}
CONSTANTS = ("0", "1", "2", "0.5", "3.0", "-1", "1e-9", "100", "10000", "1e300")

_numeric_leaves = st.sampled_from((*NUMBERS, *FLAGS, *CONSTANTS))
_features = st.sampled_from((*NUMBERS, *FLAGS))


def _arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner)
    return binary | st.builds("(-{})".format, inner)


numerics = st.recursive(_numeric_leaves, _arithmetic, max_leaves=4)
_comparators = st.sampled_from(("<", "<=", ">", ">=", "==", "!="))


@st.composite
def _comparison(draw: st.DrawFn) -> str:
    left, right = draw(numerics), draw(numerics)
    if draw(st.booleans()):
        left = draw(_features)
    chained = f" {draw(_comparators)} {draw(_features)}" if draw(st.integers(0, 4)) == 0 else ""
    return f"{left} {draw(_comparators)} {right}{chained}"


@st.composite
def _category_test(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(CATEGORIES)))
    labels = draw(st.lists(st.sampled_from(CATEGORIES[name]), min_size=1, max_size=3))
    if draw(st.booleans()):
        return f"{name} {draw(st.sampled_from(('==', '!=')))} '{labels[0]}'"
    return f"{name} {draw(st.sampled_from(('in', 'not in')))} {labels!r}"


@st.composite
def _number_list(draw: st.DrawFn) -> str:
    values = draw(st.lists(st.sampled_from(CONSTANTS), min_size=1, max_size=3))
    return f"{draw(_features)} {draw(st.sampled_from(('in', 'not in')))} [{', '.join(values)}]"


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.builds("({} {} {})".format, inner, st.sampled_from(("and", "or")), inner)
    return pair | st.builds("(not {})".format, inner)


sources = st.recursive(_comparison() | _category_test() | _number_list(), _joined, max_leaves=6)

_ordinary = st.sampled_from((0.0, 1.0, 2.0, 3.0, 0.5, 100.0, 10000.0, 10000.000000000002, 1e-9)) | st.floats(0, 2e4)
_any_number = _ordinary | st.floats(allow_nan=False) | st.sampled_from((-0.0, -1.0, math.inf, -math.inf, 1e308))


@st.composite
def rows(draw: st.DrawFn, missing: bool = True, wild: bool = True) -> dict[str, float | str | None]:
    """One row; with `missing`, some values are None, NaN or absent; with `wild`, numbers are extreme too."""
    row: dict[str, float | str | None] = {}
    for name in (*NUMBERS, *FLAGS, *CATEGORIES):
        if missing:
            gone = draw(st.integers(0, 9))
            if gone == 0:
                continue
            if gone <= 2:
                row[name] = math.nan if gone == 1 and name not in CATEGORIES else None
                continue
        if name in CATEGORIES:
            row[name] = draw(st.sampled_from((*CATEGORIES[name], "another")))
        elif name in FLAGS:
            row[name] = draw(st.sampled_from((0.0, 1.0)))
        else:
            number = draw(_any_number if wild else _ordinary)
            row[name] = abs(number) if name in COUNTS else number
    return row


def ruleset_of(conditions: Sequence[Condition], severities: Sequence[RulesFlag] | None = None) -> RuleSet:
    """A rule set of conditions that need not pass the checks of a file."""
    rules = [
        Rule(
            id=f"r{position}",
            name=f"r{position}",
            category="Test",
            severity=severities[position] if severities else RulesFlag.FLAG,
            source="",
            condition=condition,
            test=compile_condition(condition),
            analyst_text=Template("a"),
            customer_text="c",
            evidence=0.0,
        )
        for position, condition in enumerate(conditions)
    ]
    return RuleSet(1, 0.4, rules)
