"""Rules that fire together more often than they would if they did not know of each other."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.intelligence.patterns_report import Growth, RulePair
from functions.intelligence.patterns_statistics import discoveries, growth, poisson_tail

COLUMNS = ("triggered_rules",)
LEAST_BOTH = 10
LEAST_LIFT = 2.0


def rule_pairs(now: pl.DataFrame, before: pl.DataFrame, rate: float) -> tuple[list[RulePair], int]:
    """The pairs, and how many were looked at. `now`, `before`: columns COLUMNS and `bad`."""
    single = dict(
        now.select(pl.col("triggered_rules").explode().alias("rule")).drop_nulls()["rule"].value_counts().iter_rows()
    )
    pairs, earlier = _pairs(now), {(row[0], row[1]): row[2] for row in _pairs(before).iter_rows()}
    rules = len(single)
    looked_at = rules * (rules - 1) // 2
    expected = [single[one] * single[other] / len(now) for one, other, *_ in pairs.iter_rows()]
    p = np.array([poisson_tail(row[2], chance) for row, chance in zip(pairs.iter_rows(), expected, strict=True)])
    unseen = np.ones(looked_at - len(p))  # those that never fired together were looked at as well
    believed = discoveries(np.concatenate([p, unseen]), rate)[: len(p)]
    told = [
        _pair(row, single, chance, chance_of, earlier.get((row[0], row[1]), 0))
        for row, chance, chance_of, holds in zip(
            pairs.iter_rows(), expected, p.tolist(), believed.tolist(), strict=True
        )
        if holds and row[2] >= LEAST_BOTH and row[2] >= LEAST_LIFT * chance
    ]
    return told, looked_at


def _pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """first, second, both, bad: for every two rules that fired on one transaction, in the order of their ids."""
    fired = frame.select(pl.col("triggered_rules").list.unique().alias("rule"), "bad").with_row_index("row")
    several = fired.filter(pl.col("rule").list.len() > 1).explode("rule")
    joined = several.join(several.select("row", pl.col("rule").alias("second")), on="row")
    return (
        joined.filter(pl.col("rule") < pl.col("second"))
        .group_by(pl.col("rule").alias("first"), "second")
        .agg(pl.len().cast(pl.Int64).alias("both"), pl.col("bad").sum().cast(pl.Int64))
        .sort("first", "second")
    )


def _pair(row: tuple[str, str, int, int], single: dict[str, int], expected: float, p: float, before: int) -> RulePair:
    first, second, both, bad = row
    return RulePair(
        rules=(first, second),
        both=Growth(now=both, before=before, factor=growth(both, before)),
        first=single[first],
        second=single[second],
        lift=both / expected,
        p=p,
        bad_share=bad / both,
    )
