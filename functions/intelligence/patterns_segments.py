"""Segments where bad transactions concentrate: single properties, and two together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import polars as pl

from assay.intelligence.patterns_report import Growth, Segment
from functions.intelligence.patterns_statistics import discoveries, growth, poisson_tail, wilson

VALUES = ("channel", "auth_method", "geo_country", "currency", "transaction_type", "merchant_category")
AMOUNT_BANDS = (10.0, 50.0, 200.0, 1000.0)
"""In the base currency."""
AGE_BANDS = (7.0, 30.0, 365.0)
"""Days since the account was opened."""
HOUR_BANDS = (6.0, 12.0, 18.0)
BANDS = {"amount": AMOUNT_BANDS, "account_age_days": AGE_BANDS, "hour_of_day": HOUR_BANDS}
FLAGS = ("new_device_flag", "country_mismatch_flag")
COLUMNS = (*VALUES, *BANDS, *FLAGS)
LEAST_EVENTS = 50
LEAST_BAD = 5
LEAST_LIFT = 2.0
ADDS = 1.3
"""Two properties together are told of when their lift is so many times that of each alone."""


def segments(now: pl.DataFrame, before: pl.DataFrame, rate: float) -> tuple[list[Segment], int]:
    """Those that have more than chance explains, and how many were looked at.

    `now`, `before`: columns COLUMNS and `bad`. Of the segments told of, a share of `rate` is expected to be chance.
    """
    base = float(now["bad"].mean() or 0.0)  # type: ignore[arg-type]
    if not base:
        return [], 0
    cut_now, cut_before = _cut(now), _cut(before)
    keys = [*((name,) for name in COLUMNS), *combinations(COLUMNS, 2)]
    counted = pl.concat([_counted(cut_now, cut_before, key) for key in keys])
    looked_at = counted.filter(pl.col("events") >= LEAST_EVENTS)
    p = np.array([poisson_tail(bad, events * base) for bad, events in looked_at.select("bad", "events").iter_rows()])
    found = looked_at.with_columns(
        pl.Series("p", p, dtype=pl.Float64), (pl.col("bad") / pl.col("events") / base).alias("lift")
    )
    believed = found.filter(pl.Series(discoveries(p, rate), dtype=pl.Boolean))
    telling = believed.filter(pl.col("bad") >= LEAST_BAD, pl.col("lift") >= LEAST_LIFT)
    lifts = {_where(row): row["lift"] for row in found.iter_rows(named=True)}
    told = [_segment(row) for row in telling.iter_rows(named=True) if _adds(_where(row), lifts)]
    return told, len(looked_at)


def _cut(frame: pl.DataFrame) -> pl.DataFrame:
    """Every property as a word; unknown is one, too."""
    bands = [_band(name, bounds) for name, bounds in BANDS.items()]
    flags = [pl.col(name).fill_nan(None).replace_strict({0.0: "no", 1.0: "yes"}, default=None) for name in FLAGS]
    words = [*(pl.col(name) for name in VALUES), *bands, *flags]
    return frame.select(*(word.fill_null("unknown").cast(pl.Categorical) for word in words), "bad")


def _band(name: str, bounds: Sequence[float]) -> pl.Expr:
    value = pl.col(name).fill_nan(None)
    place = pl.sum_horizontal((value >= bound for bound in bounds), ignore_nulls=False)
    return place.replace_strict(dict(enumerate(_names(bounds))), default=None, return_dtype=pl.String).alias(name)


def _names(bounds: Sequence[float]) -> list[str]:
    middle = [f"{low:g}-{high:g}" for low, high in pairwise(bounds)]
    return [f"<{bounds[0]:g}", *middle, f">={bounds[-1]:g}"]


def _counted(now: pl.DataFrame, before: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    columns = [f"value_{n}" for n in range(len(key))]
    words = [pl.col(name).cast(pl.String).alias(column) for name, column in zip(key, columns, strict=True)]
    grouped = now.group_by(key).agg(pl.len().alias("events"), pl.col("bad").sum()).select(*words, "events", "bad")
    earlier = before.group_by(key).agg(pl.col("bad").sum().alias("bad_before")).select(*words, "bad_before")
    joined = grouped.join(earlier, on=columns, how="left").with_columns(
        pl.col("bad_before").fill_null(0), pl.lit(key[0]).alias("name_0"), pl.lit(key[-1]).alias("name_1")
    )
    if len(key) == 1:
        joined = joined.with_columns(pl.lit(None, dtype=pl.String).alias("value_1"))
    return joined.select("name_0", "value_0", "name_1", "value_1", "events", "bad", "bad_before").cast(
        {"events": pl.Int64, "bad": pl.Int64, "bad_before": pl.Int64}
    )


Where = tuple[tuple[str, str], ...]


def _where(row: dict[str, object]) -> Where:
    first = (str(row["name_0"]), str(row["value_0"]))
    return (first,) if row["value_1"] is None else (first, (str(row["name_1"]), str(row["value_1"])))


def _adds(where: Where, lifts: dict[Where, float]) -> bool:
    """Whether it tells more than its parts do."""
    return len(where) == 1 or lifts[where] >= ADDS * max(lifts.get((part,), 0.0) for part in where)


def _segment(row: dict[str, object]) -> Segment:
    events, bad, before = (int(row[name]) for name in ("events", "bad", "bad_before"))  # type: ignore[call-overload]
    low, high = wilson(bad, events)
    return Segment(
        where=dict(_where(row)),
        events=events,
        bad=Growth(now=bad, before=before, factor=growth(bad, before)),
        share=bad / events,
        low=low,
        high=high,
        lift=float(row["lift"]),  # type: ignore[arg-type]
        p=float(row["p"]),  # type: ignore[arg-type]
    )
