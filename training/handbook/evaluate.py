"""Evaluates on the Handbook's data: the published rows reproduced, then our own on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.handbook import history, own
from training.handbook.features import PUBLISHED, catalogue, with_features
from training.handbook.measure import RULE_AMOUNT, measure
from training.handbook.protocol import Columns
from training.handbook.published import FOUR_WEEKS, ROWS, PublishedRow, scaled
from training.handbook.report import Row
from training.work import Progress

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The data with the catalogue's features, in the order of transaction ids."""

    frame: pl.DataFrame
    columns: Columns

    def matrix(self, names: Sequence[str]) -> Floats:
        """The features as a matrix (n, len(names)); NaN is unknown."""
        return self.frame.select(pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in names).to_numpy()


def prepare(frame: pl.DataFrame, progress: Progress) -> Prepared:
    """Features of every transaction. `frame` as `load` gives it."""
    return Prepared(with_features(frame, progress), Columns.of(frame))


def reproduce(data: Prepared, progress: Progress, rows: Sequence[PublishedRow] = ROWS) -> list[Row]:
    """The published rows, with the published models on the published features."""
    matrix = data.matrix(PUBLISHED)
    done = []
    for count, row in enumerate(rows):
        progress("published rows", count / len(rows))
        done.append(_reproduced(data.columns, matrix, row))
    return done


def _reproduced(columns: Columns, matrix: Floats, row: PublishedRow) -> Row:
    if row.model is None:
        return Row(row.name, row.folds, (), row.figures)
    measured = []
    for fold in row.folds:
        train, test = fold.train(columns), fold.test(columns)
        learn, check = scaled(matrix[train], matrix[test])
        with threadpool_limits(limits=1, user_api="blas"):  # several threads would change the last digits
            scores = row.model(learn, columns.frauds[train], check)
        measured.append(measure(columns, test, scores))
    return Row(row.name, row.folds, measured, row.figures, row.reproducible, PUBLISHED)


def rule_row(data: Prepared) -> Row:
    """What the rule `amount > 220` alone does: the part of the fraud that is no skill."""
    amounts = [data.columns.amounts[fold.test(data.columns)] for fold in FOUR_WEEKS]
    scores = [(each > RULE_AMOUNT).astype(np.float64) for each in amounts]
    return _four_weeks("rule: amount > 220", data.columns, scores, ("amount",))


def our_rows(data: Prepared, seed: int, progress: Progress) -> tuple[list[Row], list[own.Trial]]:
    """Our rows over the same four weeks, and what was tried on earlier weeks, the chosen first."""
    columns = data.columns
    progress("history", 0.0)
    extended = Prepared(history.with_history(data.frame), columns)
    known, every = catalogue(data.frame), [*catalogue(data.frame), *history.NAMES]
    full = extended.matrix(every)
    trials = own.choose(columns, full, seed, progress)
    recipes = (
        ("Assay: published features, all known days", PUBLISHED, data.matrix(PUBLISHED)),
        ("Assay: the catalogue's features", known, data.matrix(known)),
    )
    rows = []
    for count, (name, features, matrix) in enumerate(recipes):
        progress("our rows", count / (len(recipes) + 1))
        scores = [own.recipe_scores(columns, matrix, fold, seed) for fold in FOUR_WEEKS]
        rows.append(_four_weeks(name, columns, scores, features))
    progress("our rows", len(recipes) / (len(recipes) + 1))
    scores = [own.ensemble_scores(columns, full, fold, trials[0], seed) for fold in FOUR_WEEKS]
    rows.append(_four_weeks("Assay: and the known past", columns, scores, every))
    return rows, trials


def _four_weeks(name: str, columns: Columns, scores: Sequence[Floats], features: Sequence[str]) -> Row:
    weeks = zip(FOUR_WEEKS, scores, strict=True)
    return Row(
        name, FOUR_WEEKS, [measure(columns, fold.test(columns), each) for fold, each in weeks], features=features
    )
