"""Evaluates a condition for one transaction: closures over the feature mapping, built once when the file is loaded.

A closure answers True, False, or None: unknown. The shapes that rules really have (`feature > constant`,
`feature == constant`, a label) have their own closure, for speed. Those trust the type of a known value and raise
TypeError for a string where a number belongs; `known_only` removes such values, and the caller tries again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import cast

from assay.features.catalog import BY_NAME
from assay.rules.syntax import (
    AllOf,
    Arithmetic,
    Column,
    Comparator,
    Compare,
    Condition,
    Member,
    Number,
    Numeric,
    calculate,
)
from assay.schemas.base import FeatureValue

Features = Mapping[str, FeatureValue]
Test = Callable[[Features], bool | None]
Value = Callable[[Features], float | None]

_OPERATORS: dict[Comparator, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def known_only(features: Features) -> dict[str, FeatureValue]:
    """The features without those whose value is not of their kind: a string for a number, or the reverse."""
    known: dict[str, FeatureValue] = {}
    for name, value in features.items():
        feature = BY_NAME.get(name)
        if feature is not None and isinstance(value, str if feature.kind == "category" else int | float):
            known[name] = value
    return known


def compile_condition(condition: Condition) -> Test:
    """The closure that evaluates the condition."""
    if isinstance(condition, Compare):
        return _compile_compare(condition)
    if isinstance(condition, Member):
        return _compile_member(condition)
    tests = tuple(compile_condition(part) for part in condition.parts)
    return _combined(tests, decisive=not isinstance(condition, AllOf))


def _combined(tests: tuple[Test, ...], decisive: bool) -> Test:
    """Kleene and (`decisive` False: the first false part decides) or or (`decisive` True)."""
    otherwise = not decisive

    def combined(features: Features) -> bool | None:
        unknown = False
        for test in tests:
            truth = test(features)
            if truth is decisive:
                return decisive
            if truth is None:
                unknown = True
        return None if unknown else otherwise

    return combined


def _compile_compare(condition: Compare) -> Test:
    if isinstance(condition.left, Column) and isinstance(condition.right, Number):
        name, constant = condition.left.name, condition.right.value
        if condition.op == ">":
            return _above(name, constant)
        if condition.op == "==":
            return _equal(name, constant)
    left, right = compile_number(condition.left), compile_number(condition.right)
    holds = _OPERATORS[condition.op]

    def compare(features: Features) -> bool | None:
        first, second = left(features), right(features)
        return None if first is None or second is None else holds(first, second)

    return compare


def _above(name: str, constant: float) -> Test:
    def above(features: Features) -> bool | None:
        value = cast("float | None", features.get(name))
        if value is None:
            return None
        if value > constant:
            return True
        return False if value <= constant else None  # NaN is neither

    return above


def _equal(name: str, constant: float) -> Test:
    def equal(features: Features) -> bool | None:
        value = cast("float | None", features.get(name))
        if value is None:
            return None
        if value == constant:
            return True
        return False if value < constant or value > constant else None

    return equal


def _compile_member(condition: Member) -> Test:
    if isinstance(condition.operand, Column) and condition.operand.kind == "category":
        return _labelled(
            condition.operand.name, frozenset(cast("tuple[str, ...]", condition.values)), condition.negated
        )
    operand = compile_number(condition.operand)
    values, negated = frozenset(cast("tuple[float, ...]", condition.values)), condition.negated

    def member(features: Features) -> bool | None:
        value = operand(features)
        return None if value is None else (value in values) is not negated

    return member


def _labelled(name: str, labels: frozenset[str], negated: bool) -> Test:
    def labelled(features: Features) -> bool | None:
        value = features.get(name)
        return (value in labels) is not negated if isinstance(value, str) else None

    return labelled


def compile_number(node: Numeric) -> Value:
    """The closure that computes a number; None when it is unknown."""
    if isinstance(node, Number):
        constant = node.value
        return lambda features: constant
    if isinstance(node, Column):
        return _column(node.name)
    return _compile_arithmetic(node)


def _column(name: str) -> Value:
    def column(features: Features) -> float | None:
        value = features.get(name)
        return float(value) if isinstance(value, float | int) and value == value else None

    return column


def _compile_arithmetic(node: Arithmetic) -> Value:
    op, left, right = node.op, compile_number(node.left), compile_number(node.right)

    def arithmetic(features: Features) -> float | None:
        first, second = left(features), right(features)
        return None if first is None or second is None else calculate(op, first, second)

    return arithmetic
