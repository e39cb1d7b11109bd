"""Counts of every variable's bins, per step of time and segment: they add up to any window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.features.counterparty import LABEL_DELAY
from assay.intelligence.drift_policy import DriftPolicy
from assay.intelligence.reference import Category, Reference
from assay.moments import microseconds, moment
from functions.intelligence.drift_measures import Counts
from functions.intelligence.drift_variables import NONE, Bins, Variable

HOUR = 3_600_000_000
ALL = "all"
FREQUENT = 0.02
"""Share of a country from which on it is a segment of its own."""
OTHER = "other"
KEYS = ("client_id", "transaction_id")
FRAUD = "fraud_confirmed"


@dataclass(frozen=True, slots=True)
class Dimension:
    """Cuts the events into segments, which are named `column=value`. Either by value or by bounds."""

    column: str
    names: tuple[str, ...]
    values: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    def of(self, frame: pl.DataFrame) -> Bins:
        """The segment of each row."""
        column = frame[self.column]
        if self.bounds:
            known = column.cast(pl.Float64).to_numpy()
            found = np.searchsorted(np.array(self.bounds), known, side="right")
            found[np.isnan(known)] = len(self.names) - 1
            return found
        places = {value: place for place, value in enumerate(self.values)}
        return column.replace_strict(places, default=len(places), return_dtype=pl.Int64).to_numpy()


def dimensions_of(reference: Reference, policy: DriftPolicy) -> list[Dimension]:
    """Channel, country and amount; what is rare or unknown is `other`."""
    found = [_by_value(name, reference) for name in ("channel", "geo_country")]
    bounds = tuple(policy.amount_bands)
    bands = [f"amount<{bounds[0]:g}"] if bounds else []
    bands += [f"amount={low:g}-{high:g}" for low, high in pairwise(bounds)]
    bands += [f"amount>={bounds[-1]:g}", f"amount={OTHER}"] if bounds else []
    amount = [Dimension("amount", tuple(bands), bounds=bounds)] if bounds else []
    return [*found, *amount]


def _by_value(column: str, reference: Reference) -> Dimension:
    distribution = reference.features.get(column)
    shares = distribution.shares if isinstance(distribution, Category) else {}
    values = tuple(value for value, share in shares.items() if share >= FREQUENT)
    return Dimension(column, tuple(f"{column}={value}" for value in (*values, OTHER)), values=values)


class Cells:
    """The counts of the steps from `first` on, `steps` of them. Add frames to it in any order and number."""

    def __init__(
        self, variables: Sequence[Variable], dimensions: Sequence[Dimension], first: int, steps: int, step: int
    ) -> None:
        """`first`: microseconds since the epoch; `step`: its length in microseconds."""
        self.variables, self.dimensions = variables, dimensions
        self.segments = [ALL, *(name for dimension in dimensions for name in dimension.names)]
        self.first, self.steps, self.step = first, steps, step
        self.events = 0
        self._counts = {
            variable.name: np.zeros((steps, len(self.segments), variable.bins), dtype=np.int64)
            for variable in variables
        }

    def add(self, frame: pl.DataFrame) -> None:
        """Rows of `scored_table` that lie within the steps, with `is_fraud` and `of_release` beside."""
        times = frame["occurred_at"].dt.epoch("us").to_numpy()
        inside = (times >= self.first) & (times < self.first + self.steps * self.step)
        if not inside.all():
            frame, times = frame.filter(pl.Series(inside)), times[inside]
        self.events += len(frame)
        cells = (times - self.first) // self.step
        places = [dimension.of(frame) for dimension in self.dimensions]
        for variable in self.variables:
            self._add(variable, variable.of(frame), cells, places)

    def _add(self, variable: Variable, bins: Bins, cells: Bins, places: list[Bins]) -> None:
        if (bins == NONE).any():
            kept = bins != NONE
            bins, cells, places = bins[kept], cells[kept], [place[kept] for place in places]
        counts, start = self._counts[variable.name], 1
        for dimension, place in zip(self.dimensions, places, strict=True):
            width = len(dimension.names)
            flat = np.bincount(
                (cells * width + place) * variable.bins + bins, minlength=self.steps * width * variable.bins
            )
            counts[:, start : start + width] += flat.reshape(self.steps, width, variable.bins)
            start += width
        flat = np.bincount(cells * variable.bins + bins, minlength=self.steps * variable.bins)
        counts[:, 0] += flat.reshape(self.steps, variable.bins)

    def window(self, variable: Variable, segment: int, end: int, steps: int) -> Counts:
        """The bins' counts of the steps before `end`, which counts from `first`; those outside are empty."""
        part = self._counts[variable.name][max(0, end - steps) : max(0, end), segment]
        total: NDArray[np.int64] = part.sum(axis=0)
        return total.astype(np.float64)


def marked(frame: pl.DataFrame, frauds: pl.DataFrame | None, release_hash: str) -> pl.DataFrame:
    """`is_fraud`: known as fraud within the label delay, so that old and new events are known equally well;
    `of_release`: scored by this release, and not stopped by the rules before.

    `frauds`: columns client_id, transaction_id, labelled_at.
    """
    scored = (pl.col("release_hash") == release_hash) & ~pl.col("is_early_exit")
    known = frame.with_columns(scored.fill_null(value=False).alias("of_release"))
    if frauds is None:
        return known.with_columns(pl.lit(value=False).alias("is_fraud"))
    in_time = pl.col("labelled_at") - pl.col("occurred_at") <= timedelta(microseconds=LABEL_DELAY)
    joined = known.join(frauds.select(*KEYS, "labelled_at").unique(KEYS), on=KEYS, how="left", maintain_order="left")
    return joined.with_columns(in_time.fill_null(value=False).alias("is_fraud"))


def step_end(at: datetime, policy: DriftPolicy) -> datetime:
    """The last end of a step that is not after the moment."""
    step = policy.step_hours * HOUR
    return moment(microseconds(at) // step * step)
