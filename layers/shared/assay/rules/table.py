"""Evaluates the rules over a table of transactions: the same checked conditions, as polars expressions.

Offline only: serving never imports this module. The result equals the scalar evaluation, row by row.
"""

from __future__ import annotations

import polars as pl

from assay.features.catalog import BY_NAME
from assay.rules.ruleset import RuleSet
from assay.rules.syntax import AllOf, Arithmetic, Column, Compare, Condition, Member, Number, Numeric, columns
from assay.schemas.stages import RulesFlag


def evaluate_table(rules: RuleSet, table: pl.DataFrame) -> pl.DataFrame:
    """One row per row of `table`, which has one column per feature (null, NaN or an absent column: unknown).

    Columns of the answer: per rule id a Boolean (null: not evaluated), `fired` (number of rules), `escalated`,
    and `rules_flag` (ALLOW, FLAG or BLOCK).
    """
    names = sorted({name for rule in rules.rules for name in columns(rule.condition)})
    known = table.lazy().select(_height_of(table), *(_known(name, table.schema) for name in names))
    tested = known.select(_broadcast(_condition(rule.condition)).alias(rule.id) for rule in rules.rules)
    blocking = [pl.col(rule.id) for rule in rules.rules if rule.severity is RulesFlag.BLOCK]
    counted = tested.with_columns(
        pl.sum_horizontal(pl.col(rule.id).cast(pl.UInt32) for rule in rules.rules).alias("fired"),
        (pl.any_horizontal(blocking) if blocking else pl.lit(value=False)).fill_null(value=False).alias("_blocked"),
    ).with_columns((~pl.col("_blocked") & (pl.col("fired") >= rules.escalation_count)).alias("escalated"))
    flag = (
        pl.when(pl.col("_blocked") | pl.col("escalated"))
        .then(pl.lit(RulesFlag.BLOCK.value))
        .when(pl.col("fired") > 0)
        .then(pl.lit(RulesFlag.FLAG.value))
        .otherwise(pl.lit(RulesFlag.ALLOW.value))
    )
    return counted.with_columns(flag.alias("rules_flag")).drop("_blocked").collect()


_ROWS = "_rows"


def _height_of(table: pl.DataFrame) -> pl.Expr:
    """A column that keeps the height when every feature is absent."""
    return pl.repeat(value=None, n=table.height, dtype=pl.Boolean).alias(_ROWS)


def _broadcast(condition: pl.Expr) -> pl.Expr:
    return pl.when(pl.col(_ROWS).is_null()).then(condition)


def _known(name: str, schema: pl.Schema) -> pl.Expr:
    """The column as float64 or text, with null for whatever is unknown or not of the feature's kind."""
    dtype = schema.get(name)
    if BY_NAME[name].kind == "category":
        fits = dtype is not None and (dtype == pl.String or dtype in (pl.Categorical, pl.Enum))
        return (pl.col(name).cast(pl.String) if fits else pl.lit(None, dtype=pl.String)).alias(name)
    if dtype is not None and (dtype.is_numeric() or dtype == pl.Boolean):
        return pl.col(name).cast(pl.Float64).fill_nan(None)
    return pl.lit(None, dtype=pl.Float64).alias(name)


def _condition(condition: Condition) -> pl.Expr:
    """Boolean expression; `&` and `|` of polars are Kleene's."""
    if isinstance(condition, Compare):
        return _compare(condition)
    if isinstance(condition, Member):
        inside = _number(condition.operand).is_in(list(condition.values))
        return ~inside if condition.negated else inside
    parts = [_condition(part) for part in condition.parts]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined & part if isinstance(condition, AllOf) else joined | part
    return joined


def _compare(condition: Compare) -> pl.Expr:
    left, right = _number(condition.left), _number(condition.right)
    comparisons = {
        "<": left.lt,
        "<=": left.le,
        ">": left.gt,
        ">=": left.ge,
        "==": left.eq,
        "!=": left.ne,
    }
    return comparisons[condition.op](right)


def _number(node: Numeric) -> pl.Expr:
    if isinstance(node, Number):
        return pl.lit(node.value, dtype=pl.Float64)
    if isinstance(node, Column):
        return pl.col(node.name)
    return _arithmetic(node)


def _arithmetic(node: Arithmetic) -> pl.Expr:
    left, right = _number(node.left), _number(node.right)
    if node.op == "+":
        result = left + right
    elif node.op == "-":
        result = left - right
    elif node.op == "*":
        result = left * right
    else:
        result = pl.when(right != 0).then(left / right)
    return result.fill_nan(None)
