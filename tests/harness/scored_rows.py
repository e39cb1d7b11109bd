"""Rows of `scored_table` that are as the release's reference says, or not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.intelligence.reference import FILE, Category, Distribution, Reference, load_reference
from assay.release import Release

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DECISIONS = {"APPROVE": 0.978, "CHALLENGE": 0.015, "DECLINE": 0.007}


def rows(release: Release, count: int, days: float, end: datetime = NOON, seed: int = 1) -> pl.DataFrame:
    """Evenly over so many days up to the end, one account each, every value drawn from the reference."""
    rng = np.random.default_rng(seed)
    reference = load_reference(release.read(FILE))
    times = [end - timedelta(days=days) * (1 - n / count) for n in range(count)]
    drawn = {**reference.features, **reference.scores}
    return pl.DataFrame(
        {
            "client_id": ["shop"] * count,
            "transaction_id": [f"t-{seed}-{n}" for n in range(count)],
            "occurred_at": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "decision": rng.choice(list(DECISIONS), count, p=list(DECISIONS.values())),
            "release_hash": [release.hash] * count,
            "is_early_exit": [False] * count,
            **{name: draw(distribution, count, rng) for name, distribution in drawn.items()},
        }
    )


def reference_of(release: Release) -> Reference:
    """Of its file."""
    return load_reference(release.read(FILE))


def draw(distribution: Distribution, count: int, rng: np.random.Generator) -> pl.Series:
    """Values of the distribution; within a bin anything goes."""
    if isinstance(distribution, Category):
        names = [*distribution.shares, None]
        places = _places([*distribution.shares.values(), distribution.unknown], count, rng)
        return pl.Series([names[place] for place in places], dtype=pl.String)
    places = _places([*distribution.shares, distribution.unknown], count, rng)
    edges = distribution.edges or [0.0]
    width = (edges[-1] - edges[0]) or 1.0
    bounds = np.array([edges[0] - width, *edges, edges[-1] + width])
    low, high = bounds[np.minimum(places, len(edges))], bounds[np.minimum(places + 1, len(edges) + 1)]
    values = high - (high - low) * rng.random(count) * 0.999
    values[places == len(distribution.shares)] = np.nan
    return pl.Series(values)


def _places(shares: list[float], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    weights = np.array(shares)
    return rng.choice(len(shares), count, p=weights / weights.sum())


def with_values(frame: pl.DataFrame, since: datetime, values: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """From then on, these columns are something else."""
    late = pl.col("occurred_at") >= since
    return frame.with_columns(
        pl.when(late).then(value).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )
