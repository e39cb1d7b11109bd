"""Our own models on the Handbook's folds: the same information, the same label delay, more of the known past.

They train on every day from SINCE to the published training week's end, so the newest label they know is the published
models' newest. Settings are chosen on VALIDATION alone: those weeks are over, and all their labels known, before
the first test week begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from training.fit import fit_xgboost
from training.handbook.protocol import DELAY, TRAIN, Columns, Fold, Ints, day_number, prequential
from training.metrics import average_precision
from training.tuning import COMMON, PROVEN, PROVEN_SAMPLING, candidates
from training.work import Progress

Floats = NDArray[np.float64]
Settings = dict[str, Any]

SINCE = day_number("2018-04-01") + 30 + DELAY
"""The first day whose longest window is complete."""
VALIDATION: Sequence[Fold] = prequential("2018-07-11")
"""Test weeks 2018-07-04 to 2018-07-31."""
LEGITIMATE_SHARE = 0.1
"""Of the legitimate rows so many are learnt from, every fraud is: ten times faster, and the ranking stays."""
TRIALS = 5
"""Settings that are tried."""
ROUNDS = (100, 150, 200, 300)
"""Numbers of trees that are tried of each."""
MODELS = 3
"""Boosted ensembles that are averaged."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings, a number of trees, and their average precision over the validation weeks, mean of the weeks."""

    settings: Settings
    rounds: int
    average_precision: float


def training_rows(columns: Columns, fold: Fold, seed: int) -> Ints:
    """Every fraud and a share of the legitimate rows, from SINCE to the end of the fold's training week."""
    rows = fold.train(columns, SINCE)
    chosen = np.random.default_rng(seed).random(len(rows)) < LEGITIMATE_SHARE
    return rows[columns.frauds[rows] | chosen]


def recipe_scores(columns: Columns, matrix: Floats, fold: Fold, seed: int) -> Floats:
    """The classifier of `assay train`, untuned: fitted until the week before the last known one, which stops it early.

    Scores of the test week.
    """
    rows, labels = training_rows(columns, fold, seed), columns.frauds
    learn = columns.days[rows] < fold.cut - TRAIN
    train, calibrate = rows[learn], rows[~learn]
    tuned = {**PROVEN_SAMPLING, **PROVEN[0]}
    fitted = fit_xgboost(matrix[train], labels[train], matrix[calibrate], labels[calibrate], tuned, seed)
    return fitted.margins(matrix[fold.test(columns)])


def ensemble_scores(columns: Columns, matrix: Floats, fold: Fold, chosen: Trial, seed: int) -> Floats:
    """The mean margin of MODELS boosted ensembles, each with its own seed and its own legitimate rows."""
    test = xgboost.DMatrix(matrix[fold.test(columns)], nthread=1)
    boosters = (_fit(columns, matrix, fold, chosen.settings, chosen.rounds, seed + model) for model in range(MODELS))
    margins = [booster.predict(test, output_margin=True) for booster in boosters]
    return np.asarray(np.mean(np.array(margins, dtype=np.float64), axis=0))


def choose(columns: Columns, matrix: Floats, seed: int, progress: Progress) -> list[Trial]:
    """What was tried on the validation weeks, the best first. No row after the last of them is looked at."""
    trials = []
    for done, settings in enumerate(candidates(TRIALS, seed)):
        weeks: list[list[float]] = []
        for fold in VALIDATION:
            progress("choosing settings", (done + len(weeks) / len(VALIDATION)) / TRIALS)
            weeks.append(_by_rounds(columns, matrix, fold, settings, seed))
        figures = np.mean(weeks, axis=0)
        trials += [Trial(settings, rounds, float(figure)) for rounds, figure in zip(ROUNDS, figures, strict=True)]
    return sorted(trials, key=lambda trial: -trial.average_precision)


def _by_rounds(columns: Columns, matrix: Floats, fold: Fold, settings: Settings, seed: int) -> list[float]:
    rows = fold.test(columns)
    test, labels = xgboost.DMatrix(matrix[rows], nthread=1), columns.frauds[rows]
    booster = _fit(columns, matrix, fold, settings, max(ROUNDS), seed)
    return [average_precision(labels, booster.predict(test, iteration_range=(0, rounds))) for rounds in ROUNDS]


def _fit(columns: Columns, matrix: Floats, fold: Fold, settings: Settings, rounds: int, seed: int) -> xgboost.Booster:
    rows = training_rows(columns, fold, seed)
    learn = xgboost.DMatrix(matrix[rows], label=columns.frauds[rows], nthread=1)
    return xgboost.train({**COMMON, **settings, "seed": seed}, learn, rounds)
