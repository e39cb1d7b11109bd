"""What drift is looked for in: features, scores, decisions and outcomes, each as a number of a bin per event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.intelligence.reference import Category, Distribution, Reference
from assay.schemas.stages import Decision
from functions.intelligence.drift_measures import Counts

Bins = NDArray[np.int64]
Kind = Literal["feature", "score", "decision", "outcome"]
NONE = -1
"""The bin of what does not count."""
DECISIONS = tuple(decision.value for decision in Decision)
CAUGHT, MISSED, STOPPED, PASSED = range(4)
"""Outcomes: fraud that was challenged or declined, fraud that was approved, and the same of what is no known fraud."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One thing that is counted. `baseline`: its reference as counts, None without one.

    Bins of a number: those of its edges, and unknown. Of a category: its values, any other, and unknown.
    """

    kind: Kind
    name: str
    bins: int
    edges: NDArray[np.float64] | None = None
    values: tuple[str, ...] = ()
    baseline: Counts | None = None

    @property
    def ordered(self) -> int:
        """How many of the bins, from the first on, are in an order."""
        return 0 if self.edges is None else len(self.edges) + 1

    def of(self, frame: pl.DataFrame) -> Bins:
        """The bin of each row."""
        if self.kind == "outcome":
            return _outcomes(frame)
        found = _numbers(frame[self.name], self.edges) if self.edges is not None else self._categories(frame[self.name])
        if self.kind == "score":
            found[(found == self.bins - 1) | ~frame["of_release"].to_numpy()] = NONE
        return found

    def _categories(self, column: pl.Series) -> Bins:
        places = {value: place for place, value in enumerate(self.values)}
        known = column.replace_strict(places, default=len(places), return_dtype=pl.Int64)
        return known.set(column.is_null(), len(places) + 1).to_numpy().copy()


OUTCOME = Variable("outcome", "outcome", 4)


def variables_of(reference: Reference, decisions: Counts | None, ignored: Sequence[str]) -> list[Variable]:
    """The features, the scores and the decisions. `decisions`: how many of each there were in training, if known."""
    found = [_variable("feature", name, d, reference.rows) for name, d in reference.features.items()]
    found += [_variable("score", name, d, reference.rows) for name, d in reference.scores.items()]
    found = [variable for variable in found if variable.name not in ignored]
    return [*found, Variable("decision", "decision", len(DECISIONS) + 2, values=DECISIONS, baseline=decisions)]


def _variable(kind: Kind, name: str, distribution: Distribution, rows: int) -> Variable:
    if isinstance(distribution, Category):
        values = tuple(distribution.shares)
        shares = [*distribution.shares.values(), 0.0, distribution.unknown]
        return Variable(kind, name, len(shares), values=values, baseline=np.array(shares) * rows)
    shares = [*distribution.shares, distribution.unknown]
    edges = np.array(distribution.edges, dtype=np.float64)
    return Variable(kind, name, len(shares), edges=edges, baseline=np.array(shares) * rows)


def _numbers(column: pl.Series, edges: NDArray[np.float64]) -> Bins:
    values = column.cast(pl.Float64).to_numpy()
    found = np.searchsorted(edges, values, side="left")
    found[np.isnan(values)] = len(edges) + 1
    return found


def _outcomes(frame: pl.DataFrame) -> Bins:
    stopped, fraud = frame["decision"] != Decision.APPROVE.value, frame["is_fraud"]
    return (
        frame.select(
            pl.when(fraud & stopped).then(CAUGHT).when(fraud).then(MISSED).when(stopped).then(STOPPED).otherwise(PASSED)
        )
        .to_series()
        .cast(pl.Int64)
        .to_numpy()
        .copy()
    )
