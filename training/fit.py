"""Fits the three models. One thread and fixed seeds throughout: the same data gives the same bytes.

Rows come out of the release's Vectoriser: nothing is unknown any more for the anomaly models, NaN is for XGBoost.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from training.tuning import COMMON

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ANOMALY_RATE = 0.02
"""Share of the rows not labelled fraud that each anomaly model flags."""
AUTOENCODER_ROWS = 60_000
"""More rows than this change nothing but the waiting."""
XGBOOST_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class FittedForest:
    """Scores are scikit-learn's `decision_function`; below 0.0 is anomalous (the offset is set so)."""

    model: IsolationForest

    def scores(self, rows: Floats) -> Floats:
        """decision_function of rows (n, 13)."""
        result: Floats = self.model.decision_function(rows)
        return result


@dataclass(frozen=True, slots=True)
class FittedAutoencoder:
    """Scores are mean squared errors of the scaled features; above `threshold` is anomalous."""

    scaler: StandardScaler
    network: MLPRegressor
    threshold: float

    def scores(self, rows: Floats) -> Floats:
        """Reconstruction errors of rows (n, 13)."""
        scaled = self.scaler.transform(rows)
        result: Floats = np.mean((scaled - self.network.predict(scaled)) ** 2, axis=1)
        return result


@dataclass(frozen=True, slots=True)
class FittedXgboost:
    """The margin is in log-odds, before calibration."""

    booster: xgboost.Booster
    parameters: dict[str, Any]
    rounds: int

    def margins(self, rows: Floats) -> Floats:
        """Margins of rows (n, features); NaN is unknown."""
        result: Floats = self.booster.predict(xgboost.DMatrix(rows, nthread=1), output_margin=True).astype(np.float64)
        return result


def fit_forest(rows: Floats, seed: int) -> FittedForest:
    """200 trees of 256 samples over rows not known to be fraud, cut so that ANOMALY_RATE of them is below 0.0."""
    model = IsolationForest(n_estimators=200, max_samples=min(256, len(rows)), random_state=seed, n_jobs=1)
    model.fit(rows)
    model.offset_ = float(np.quantile(model.score_samples(rows), ANOMALY_RATE))
    return FittedForest(model)


def fit_autoencoder(rows: Floats, seed: int) -> FittedAutoencoder:
    """A 13-8-4-8-13 network over rows not known to be fraud; the threshold flags ANOMALY_RATE of them."""
    scaler = StandardScaler().fit(rows)
    chosen = np.random.default_rng(seed).permutation(len(rows))[:AUTOENCODER_ROWS]
    scaled = scaler.transform(rows[np.sort(chosen)])
    network = MLPRegressor(
        hidden_layer_sizes=(8, 4, 8),
        batch_size=min(256, len(scaled)),
        max_iter=40,
        early_stopping=True,
        n_iter_no_change=5,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # max_iter bounds the time on purpose
        network.fit(scaled, scaled)
    errors = FittedAutoencoder(scaler, network, 1.0).scores(rows)
    return FittedAutoencoder(scaler, network, float(np.quantile(errors, 1 - ANOMALY_RATE)))


def fit_xgboost(
    train: Floats, train_labels: Bools, calibrate: Floats, calibrate_labels: Bools, tuned: dict[str, Any], seed: int
) -> FittedXgboost:
    """Boosted trees with the tuned parameters, stopped early by average precision on the calibration part."""
    learn = xgboost.DMatrix(train, label=train_labels, nthread=1)
    check = xgboost.DMatrix(calibrate, label=calibrate_labels, nthread=1)
    parameters = {**COMMON, **tuned, "seed": seed}
    booster = xgboost.train(
        parameters, learn, XGBOOST_ROUNDS, evals=[(check, "c")], early_stopping_rounds=40, verbose_eval=False
    )
    rounds = booster.best_iteration + 1
    return FittedXgboost(booster[:rounds], parameters, rounds)
