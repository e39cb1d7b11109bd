"""Scores by models that did not learn from the row they score: what a label is held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xgboost
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from assay.features.catalog import NAMES
from training.prepare import learn_encoding
from training.split import DAY
from training.table import FeatureTable
from training.tuning import COMMON, PROVEN, PROVEN_SAMPLING

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FOLDS = 3
ROUNDS = 80


def out_of_fold(table: FeatureTable, rows: Bools, without: Sequence[str] = ()) -> Floats:
    """How probable fraud is by the other rows' labels: 0..1, one per chosen row. `without`: features not to be used.

    The classifier of a training, with proven parameters. Days are dealt out to the folds whole, so that a burst does
    not vouch for itself. Where there is one class only to learn from, everything has its score.
    """
    features = [place for place, name in enumerate(NAMES) if name not in without]
    matrix = learn_encoding(table, rows).full().table(table.columns(rows))[:, features]
    labels, folds = table.labels[rows], (table.times[rows] // DAY).astype(np.int64) % FOLDS
    scores = np.zeros(len(labels))
    with threadpool_limits(limits=1):
        for fold in range(FOLDS):
            held = folds == fold
            if held.any():
                scores[held] = _fitted(matrix[~held], labels[~held], matrix[held])
    return scores


def _fitted(learn: Floats, labels: Bools, rows: Floats) -> Floats:
    if labels.all() or not labels.any():
        return np.full(len(rows), float(labels.any()))
    parameters = {**COMMON, **PROVEN_SAMPLING, **PROVEN[0], "seed": 0}
    booster = xgboost.train(parameters, xgboost.DMatrix(learn, label=labels, nthread=1), ROUNDS)
    scores: Floats = booster.predict(xgboost.DMatrix(rows, nthread=1)).astype(np.float64)
    return scores
