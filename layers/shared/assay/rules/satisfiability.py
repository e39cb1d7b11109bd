"""Finds conditions that can never be true (or never false), before they reach production.

Sound, not complete: what it calls impossible is impossible, but not every impossible condition is found (it does not
relate two features to each other). Method: the alternatives of the condition, each a list of comparisons; per
alternative the range left to every feature, then interval arithmetic for comparisons of computed values.
"""

from __future__ import annotations

import math
from itertools import product

from assay.features.catalog import BY_NAME
from assay.rules.syntax import (
    AllOf,
    AnyOf,
    Arithmetic,
    Column,
    Comparator,
    Compare,
    Condition,
    Member,
    Number,
    Numeric,
    walk,
)

MAX_ALTERNATIVES = 256
Leaf = Compare | Member
Range = tuple[float, float]
ANYTHING: Range = (-math.inf, math.inf)


def satisfiable(condition: Condition) -> bool:
    """False only when no transaction can make the condition true."""
    alternatives = _alternatives(condition)
    return alternatives is None or any(_possible(leaves) for leaves in alternatives)


def dead_alternative(condition: Condition) -> Condition | None:
    """A part of an `or` that can never be true by itself, if there is one."""
    for node in walk(condition):
        if isinstance(node, AnyOf):
            for part in node.parts:
                if not satisfiable(part):
                    return part
    return None


def _alternatives(condition: Condition) -> list[list[Leaf]] | None:
    """Disjunctive form; None when there are too many alternatives to look at."""
    if isinstance(condition, Compare | Member):
        return [[condition]]
    branches = [_alternatives(part) for part in condition.parts]
    known = [branch for branch in branches if branch is not None]
    if len(known) < len(branches):
        return None
    if isinstance(condition, AllOf):
        if math.prod(len(branch) for branch in known) > MAX_ALTERNATIVES:
            return None
        return [[leaf for leaves in choice for leaf in leaves] for choice in product(*known)]
    merged = [leaves for branch in known for leaves in branch]
    return merged if len(merged) <= MAX_ALTERNATIVES else None


class _Domain:
    """The values a feature can still have."""

    def __init__(self, name: str) -> None:
        feature = BY_NAME[name]
        self.low, self.high = (0.0 if feature.unit == "count" else -math.inf), math.inf
        self.low_open = self.high_open = False
        self.allowed: set[float | str] | None = {0.0, 1.0} if feature.kind == "flag" else None
        self.excluded: set[float | str] = set()

    def keep(self, op: Comparator, value: float) -> None:
        """Narrows to the values for which `feature op value`."""
        if op == "!=":
            self.excluded.add(value)
        if op in (">", ">=", "==") and (value, op == ">") > (self.low, self.low_open):
            self.low, self.low_open = value, op == ">"
        if op in ("<", "<=", "==") and (-value, op == "<") > (-self.high, self.high_open):
            self.high, self.high_open = value, op == "<"

    def keep_members(self, member: Member) -> None:
        """Narrows to a list, or to what is outside of it."""
        if member.negated:
            self.excluded.update(member.values)
        else:
            self.allowed = set(member.values) if self.allowed is None else self.allowed & set(member.values)

    def _inside(self, value: float | str) -> bool:
        if isinstance(value, str):
            return True
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)

    def empty(self) -> bool:
        """True when no value is left."""
        if self.allowed is not None:
            return not any(self._inside(value) and value not in self.excluded for value in self.allowed)
        if self.low == self.high:
            return self.low_open or self.high_open or self.low in self.excluded
        return self.low > self.high

    def range(self) -> Range:
        """Smallest closed range that holds every value left."""
        numbers = [value for value in self.allowed or () if isinstance(value, float) and self._inside(value)]
        return (min(numbers), max(numbers)) if numbers else (self.low, self.high)


def _possible(leaves: list[Leaf]) -> bool:
    domains: dict[str, _Domain] = {}
    computed: list[Leaf] = []
    for leaf in leaves:
        column = leaf.operand if isinstance(leaf, Member) else leaf.left
        if not isinstance(column, Column):
            computed.append(leaf)
            continue
        domain = domains.setdefault(column.name, _Domain(column.name))
        if isinstance(leaf, Member):
            domain.keep_members(leaf)
        elif isinstance(leaf.right, Number):
            domain.keep(leaf.op, leaf.right.value)
        else:
            computed.append(leaf)
    if any(domain.empty() for domain in domains.values()):
        return False
    return all(_leaf_possible(leaf, domains) for leaf in computed)


def _leaf_possible(leaf: Leaf, domains: dict[str, _Domain]) -> bool:
    if isinstance(leaf, Member):
        low, high = _range(leaf.operand, domains)
        return leaf.negated or any(isinstance(value, float) and low <= value <= high for value in leaf.values)
    if leaf.left == leaf.right:
        return leaf.op in ("<=", ">=", "==")
    return _comparable(leaf.op, _range(leaf.left, domains), _range(leaf.right, domains))


def _comparable(op: Comparator, left: Range, right: Range) -> bool:
    """Whether some pair of values compares so."""
    if op in (">", ">="):
        op, left, right = ("<" if op == ">" else "<="), right, left
    if op == "<":
        return left[0] < right[1]
    if op == "<=":
        return left[0] <= right[1]
    if op == "==":
        return left[0] <= right[1] and right[0] <= left[1]
    return not left[0] == left[1] == right[0] == right[1]


def _range(node: Numeric, domains: dict[str, _Domain]) -> Range:
    """Interval arithmetic; rounding is monotone, so the ends are exact bounds of what floats can give."""
    if isinstance(node, Number):
        return node.value, node.value
    if isinstance(node, Column):
        domain = domains.get(node.name)
        return (domain or _Domain(node.name)).range()
    return _arithmetic_range(node, _range(node.left, domains), _range(node.right, domains))


def _arithmetic_range(node: Arithmetic, left: Range, right: Range) -> Range:
    if node.op == "+":
        ends = [left[0] + right[0], left[1] + right[1]]
    elif node.op == "-":
        ends = [left[0] - right[1], left[1] - right[0]]
    elif node.op == "*":
        ends = [0.0 if 0.0 in pair else pair[0] * pair[1] for pair in product(left, right)]
    elif right[0] <= 0.0 <= right[1]:
        return ANYTHING
    else:
        ends = [a / b for a, b in product(left, right)]
    return ANYTHING if any(end != end for end in ends) else (min(ends), max(ends))
