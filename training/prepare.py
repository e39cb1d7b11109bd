"""From a feature table to what the models are fitted on: parts by time, known labels, encoded matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.features.catalog import ANOMALY_NAMES, BY_NAME, NAMES
from assay.models.encoding import Vectoriser
from training.split import Split
from training.table import CATEGORIES, FeatureTable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RARE = 0.0002
"""A category seen in a smaller share of the training rows is encoded like one never seen: so that one is learnt too."""
TRANSFORMS: dict[str, Literal["log1p"]] = {name: "log1p" for name in ANOMALY_NAMES if BY_NAME[name].kind == "number"}
"""Counts and amounts have long tails, which the anomaly models would spend themselves on."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a release keeps of it: categories and medians come from the training part alone."""

    categories: dict[str, list[str]]
    medians: dict[str, float]

    def anomaly(self) -> Vectoriser:
        """For the isolation forest and the autoencoder: 13 features, nothing unknown."""
        return Vectoriser(ANOMALY_NAMES, self.categories, self.medians, TRANSFORMS)

    def full(self) -> Vectoriser:
        """For XGBoost: every feature, raw, NaN for unknown."""
        return Vectoriser(NAMES, self.categories)


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one part of the split. `known` are the labels as known at the cut-off, `truth` the true ones."""

    rows: Bools
    anomaly: Floats
    full: Floats
    known: Bools
    truth: Bools

    def stories(self, table: FeatureTable) -> list[str | None]:
        """The story of each row of the part."""
        return [table.stories[index] for index in np.flatnonzero(self.rows)]


def learn_encoding(table: FeatureTable, rows: Bools) -> Encoding:
    """Categories that are common enough, and medians, over the chosen rows."""
    columns = table.columns(rows)
    least = max(2.0, RARE * float(rows.sum()))
    categories = {name: _common(columns[name], least) for name in CATEGORIES}
    medians = {name: _median(table.numeric[name][rows]) for name in ANOMALY_NAMES if name not in CATEGORIES}
    return Encoding(categories, medians)


def prepare_part(table: FeatureTable, split: Split, name: str, encoding: Encoding) -> Part:
    """The part `train`, `calibrate` or `test`, encoded."""
    rows = split.part(table.times, name)
    columns = table.columns(rows)
    known = split.known(table.labels, table.label_times)[rows]
    return Part(rows, encoding.anomaly().table(columns), encoding.full().table(columns), known, table.labels[rows])


def _common(values: Sequence[str | None] | Floats, least: float) -> list[str]:
    counts = Counter(str(value) for value in values if value is not None)
    return sorted(value for value, count in counts.items() if count >= least)


def _median(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0
