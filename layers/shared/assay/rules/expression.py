"""Parses and type-checks the rule language: a small part of Python's expression syntax, over the feature catalogue.

    amount > 10000 and (new_device_flag == 1 or auth_method in ["pin", "none"]) and not 6 <= hour_of_day < 22

Names of features, numbers, strings, comparisons (chained too), and/or/not, `in [...]`, `+ - * /`, parentheses.
Python's parser only builds the tree; nothing of it is ever compiled or run. Whatever is not listed here is refused.
"""

from __future__ import annotations

import ast
import math
from typing import cast, get_args

from assay.errors import RuleError
from assay.features.catalog import BY_NAME
from assay.rules.syntax import (
    MIRRORED,
    AllOf,
    AnyOf,
    Arithmetic,
    ArithmeticOp,
    Column,
    Comparator,
    Compare,
    Condition,
    Member,
    Number,
    Numeric,
    calculate,
    negate,
)
from assay.rules.tree import read_tree
from assay.schemas.fields import country_codes, currency_minor_units
from assay.schemas.transaction import AuthMethod, Channel
from assay.validation import did_you_mean

_COMPARATORS: dict[type[ast.cmpop], Comparator] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_ARITHMETIC: dict[type[ast.operator], ArithmeticOp] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def parse(source: str) -> Condition:
    """The checked condition. RuleError, with the column, for anything that is not in the language or not well typed."""
    text, tree = read_tree(source)
    return _Checker(text).condition(tree)


def _labels(feature: str) -> frozenset[str]:
    """The labels a category can be compared with."""
    if feature == "channel":
        return frozenset(get_args(Channel))
    if feature == "auth_method":
        return frozenset(get_args(AuthMethod))
    return country_codes() if feature == "geo_country" else frozenset(currency_minor_units())


class _Checker:
    """Turns Python's tree into the checked form, or says where and why it cannot."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _error(self, node: ast.expr, message: str) -> RuleError:
        part = ast.get_source_segment(self._text, node) or ""
        shown = part if len(part) <= 60 else part[:57] + "..."
        return RuleError(f"column {node.col_offset + 1}: `{shown}`: {message}")

    def condition(self, node: ast.expr) -> Condition:
        """A part that is true or false."""
        if isinstance(node, ast.BoolOp):
            return self._joined(isinstance(node.op, ast.And), [self.condition(value) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return negate(self.condition(node.operand))
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            pairs = zip(operands, node.ops, operands[1:], strict=False)
            return self._joined(True, [self._comparison(left, op, right) for left, op, right in pairs])
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            raise self._error(node, f"a constant: such a rule can {'only' if node.value else 'never'} fire")
        if isinstance(node, ast.Name):
            kind = self._column(node).kind
            raise self._error(node, f"a {kind}, not a condition" + ("; write == 1" if kind == "flag" else ""))
        raise self._error(node, "not a condition")

    @staticmethod
    def _joined(every: bool, conditions: list[Condition]) -> Condition:
        if len(conditions) == 1:
            return conditions[0]
        kind = AllOf if every else AnyOf
        parts: list[Condition] = []
        for condition in conditions:
            parts.extend(condition.parts if isinstance(condition, kind) else (condition,))
        return kind(tuple(parts))

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Condition:
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(left, right, isinstance(op, ast.NotIn))
        comparator = _COMPARATORS.get(type(op))
        if comparator is None:
            raise self._error(right, "`is` is not part of the rule language; write ==")
        if self._is_text(left) or self._is_text(right):
            return self._category_test(left, comparator, right)
        first, second = self.number(left), self.number(right)
        if isinstance(first, Number):
            if isinstance(second, Number):
                raise self._error(left, "compares two constants")
            return Compare(MIRRORED[comparator], second, first)
        return Compare(comparator, first, second)

    def _is_text(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return self._column(node).kind == "category"
        return isinstance(node, ast.Constant) and isinstance(node.value, str)

    def _category_test(self, left: ast.expr, comparator: Comparator, right: ast.expr) -> Condition:
        if isinstance(left, ast.Constant):
            left, right = right, left
        if not isinstance(left, ast.Name) or self._column(left).kind != "category":
            raise self._error(left, "not a category, so it cannot be compared with a string")
        if comparator not in ("==", "!="):
            raise self._error(left, f"a category has no order: {comparator} is not allowed")
        return Member(self._column(left), (self._label(left.id, right),), comparator == "!=")

    def _label(self, feature: str, node: ast.expr) -> str:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self._error(node, f"the category {feature} compares with a string only")
        known = _labels(feature)
        if node.value not in known:
            raise self._error(node, f"not a {feature}{did_you_mean(node.value, known)}")
        return node.value

    def _membership(self, left: ast.expr, right: ast.expr, negated: bool) -> Condition:
        if not isinstance(right, ast.List) or not right.elts:
            raise self._error(right, "`in` needs a list: [a, b]")
        if self._is_text(left):
            if not isinstance(left, ast.Name):
                raise self._error(left, "`in` needs a feature on its left")
            labels = tuple(self._label(left.id, item) for item in right.elts)
            return Member(self._column(left), tuple(dict.fromkeys(labels)), negated)
        numbers = [self.number(item) for item in right.elts]
        for number, item in zip(numbers, right.elts, strict=True):
            if not isinstance(number, Number):
                raise self._error(item, "a list holds constants only")
        operand = self.number(left)
        if isinstance(operand, Number):
            raise self._error(left, "compares two constants")
        values = tuple(dict.fromkeys(cast(Number, number).value for number in numbers))
        return Member(operand, values, negated)

    def number(self, node: ast.expr) -> Numeric:
        """A part that is a number."""
        if isinstance(node, ast.Name):
            column = self._column(node)
            if column.kind == "category":
                raise self._error(node, "a category, not a number")
            return column
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            operand = self.number(node.operand)
            return operand if isinstance(node.op, ast.UAdd) else self._arithmetic(node, "-", Number(0.0), operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right = self.number(node.left), self.number(node.right)
            return self._arithmetic(node, _ARITHMETIC[type(node.op)], left, right)
        if isinstance(node, ast.Compare | ast.BoolOp):
            raise self._error(node, "a condition, where a number is needed")
        raise self._error(node, f"not part of the rule language ({type(node).__name__})")

    def _constant(self, node: ast.Constant) -> Number:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self._error(node, "not a number")
        try:
            value = float(node.value)
        except OverflowError:
            value = math.inf
        if math.isinf(value):
            raise self._error(node, "out of range")
        return Number(value)

    def _arithmetic(self, node: ast.expr, op: ArithmeticOp, left: Numeric, right: Numeric) -> Numeric:
        if op == "/" and right == Number(0.0):
            raise self._error(node, "divides by zero: always unknown")
        if isinstance(left, Number) and isinstance(right, Number):
            value = calculate(op, left.value, right.value)
            if value is None or math.isinf(value):
                raise self._error(node, "out of range")
            return Number(value)
        return Arithmetic(op, left, right)

    def _column(self, node: ast.Name) -> Column:
        if node.id not in BY_NAME:
            raise self._error(node, f"no such feature{did_you_mean(node.id, BY_NAME)}")
        return Column(node.id)
