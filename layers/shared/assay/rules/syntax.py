"""The checked form of a rule's condition. Both evaluators, for one row and for a table, read only this.

There is no "not": the parser pushes it down to the comparisons, which is exact in Kleene's three-valued logic.
Every number is a float64. A category test names the labels; a number compares with numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from assay.features.catalog import BY_NAME, Kind

Comparator = Literal["<", "<=", ">", ">=", "==", "!="]
ArithmeticOp = Literal["+", "-", "*", "/"]

INVERSE: dict[Comparator, Comparator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
MIRRORED: dict[Comparator, Comparator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Number:
    """A constant; always finite."""

    value: float


@dataclass(frozen=True, slots=True)
class Column:
    """A feature of the catalogue."""

    name: str

    @property
    def kind(self) -> Kind:
        """Number, flag or category."""
        return BY_NAME[self.name].kind


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Unknown when an operand is unknown, when dividing by zero, and when the result is not a number."""

    op: ArithmeticOp
    left: Numeric
    right: Numeric


@dataclass(frozen=True, slots=True)
class Compare:
    """Two numbers. Unknown when either is."""

    op: Comparator
    left: Numeric
    right: Numeric


@dataclass(frozen=True, slots=True)
class Member:
    """`operand in values` (or not in). Labels for a category, floats for a number. Unknown when the operand is."""

    operand: Numeric
    values: tuple[str, ...] | tuple[float, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """False when any part is false, else unknown when any part is unknown, else true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when any part is true, else unknown when any part is unknown, else false."""

    parts: tuple[Condition, ...]


Numeric: TypeAlias = Number | Column | Arithmetic
Condition: TypeAlias = Compare | Member | AllOf | AnyOf


def negate(condition: Condition) -> Condition:
    """The condition that is true exactly where this one is false, and unknown where it is unknown."""
    if isinstance(condition, Compare):
        return Compare(INVERSE[condition.op], condition.left, condition.right)
    if isinstance(condition, Member):
        return Member(condition.operand, condition.values, not condition.negated)
    parts = tuple(negate(part) for part in condition.parts)
    return AnyOf(parts) if isinstance(condition, AllOf) else AllOf(parts)


def walk(node: Condition | Numeric) -> Iterator[Condition | Numeric]:
    """The node and everything below it."""
    yield node
    children: tuple[Condition | Numeric, ...] = ()
    if isinstance(node, AllOf | AnyOf):
        children = node.parts
    elif isinstance(node, Compare | Arithmetic):
        children = (node.left, node.right)
    elif isinstance(node, Member):
        children = (node.operand,)
    for child in children:
        yield from walk(child)


def columns(condition: Condition) -> frozenset[str]:
    """Names of the features a condition reads."""
    return frozenset(node.name for node in walk(condition) if isinstance(node, Column))


def constants(condition: Condition) -> frozenset[float]:
    """Every number a condition compares with or computes with."""
    found: set[float] = set()
    for node in walk(condition):
        if isinstance(node, Number):
            found.add(node.value)
        elif isinstance(node, Member):
            found.update(value for value in node.values if isinstance(value, float))
    return frozenset(found)


def show(node: Condition | Numeric) -> str:
    """The node in the rule language."""
    if isinstance(node, Number):
        return f"{node.value:g}"
    if isinstance(node, Column):
        return node.name
    if isinstance(node, Member):
        values = ", ".join(f'"{value}"' if isinstance(value, str) else f"{value:g}" for value in node.values)
        return f"{show(node.operand)} {'not in' if node.negated else 'in'} [{values}]"
    if isinstance(node, Compare):
        return f"{show(node.left)} {node.op} {show(node.right)}"
    if isinstance(node, Arithmetic):
        return f"({show(node.left)} {node.op} {show(node.right)})"
    return "(" + (" and " if isinstance(node, AllOf) else " or ").join(show(part) for part in node.parts) + ")"


def calculate(op: ArithmeticOp, left: float, right: float) -> float | None:
    """Float arithmetic; None where the result is unknown: division by zero, or not a number."""
    if op == "/":
        if right == 0:
            return None
        result = left / right
    elif op == "*":
        result = left * right
    else:
        result = left + right if op == "+" else left - right
    return result if result == result else None
