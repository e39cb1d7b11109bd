"""The gate of every release: what is served must equal the library that trained it, on rows made to find a difference.

Probes are real rows with their columns shuffled against each other (so that they reach leaves no real row reaches),
with values missing where the model takes missing ones, and with values exactly on the thresholds of the trees and on
the nearest float32 beside them. The served path - one row at a time - is compared on every probe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest as FittedForest
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from assay.errors import ReleaseError
from assay.models.autoencoder import Autoencoder
from assay.models.boosted_trees import BoostedTrees, probability
from assay.models.forest import IsolationForest
from assay.models.trees import PADDING
from assay.models.treeshap import TreeShap
from assay.release.manifest import Calibration

Floats = NDArray[np.float64]
PROBES = 20_000
SHAP_PROBES = 2_000
"""Half of them real rows; xgboost needs about a millisecond for each."""
FOREST_LIMIT = 1e-12
AUTOENCODER_LIMIT = 1e-9
"""Relative to the error where it is above 1: probes reach errors far beyond any real row's."""
XGBOOST_LIMIT = 1e-6
SHAP_LIMIT = 1e-5
_MISSING = 0.15
_ON_THRESHOLD = 0.3


class ParityError(ReleaseError):
    """What would be served differs from what was trained. The release must not be written."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Result of a passed gate."""

    model: str
    probes: int
    max_difference: float
    flips: int
    """Probes whose flag or decision differs: 0, or the gate would have raised."""
    max_shap_difference: float | None = None

    def metrics(self) -> dict[str, float]:
        """The numbers for the manifest, each under a name with the model's."""
        numbers = {
            f"parity.{self.model}.probes": float(self.probes),
            f"parity.{self.model}.max_difference": self.max_difference,
        }
        if self.max_shap_difference is not None:
            numbers[f"parity.{self.model}.max_shap_difference"] = self.max_shap_difference
        return numbers


def check_isolation_forest(
    forest: FittedForest, data: bytes, rows: Floats, threshold: float, count: int = PROBES, seed: int = 0
) -> Parity:
    """Served arrays against `decision_function`, on probes made of rows (n, features). Raises ParityError."""
    served = IsolationForest(data, rows.shape[1])
    exact = [(estimator.tree_.feature, estimator.tree_.threshold) for estimator in forest.estimators_]
    columns = np.concatenate(
        [
            np.where(feature >= 0, chosen[np.maximum(feature, 0)], PADDING)
            for (feature, _), chosen in zip(exact, forest.estimators_features_, strict=True)
        ]
    )
    probes = make_probes(rows, columns, np.concatenate([value for _, value in exact]), count, seed, missing=False)
    expected = forest.decision_function(probes)
    single = np.array([served.score(probe) for probe in probes])
    difference = max(_largest(single, expected), _largest(served.scores(probes), expected))
    flips = int(((single < threshold) != (expected < threshold)).sum())
    return _passed(Parity("isolation_forest", len(probes), difference, flips), FOREST_LIMIT)


def check_autoencoder(
    scaler: StandardScaler,
    network: MLPRegressor,
    data: bytes,
    rows: Floats,
    threshold: float,
    count: int = PROBES,
    seed: int = 0,
) -> Parity:
    """Served arrays against scaler and network, on probes made of rows (n, features). Raises ParityError."""
    served = Autoencoder(data, rows.shape[1])
    none = np.empty(0)
    probes = make_probes(rows, none.astype(np.intp), none, count, seed, missing=False)
    scaled = scaler.transform(probes)
    expected = np.square(scaled - network.predict(scaled)).mean(axis=1)
    single = np.array([served.error(probe) for probe in probes])
    unit = np.maximum(1.0, expected)
    difference = max(_largest(single / unit, expected / unit), _largest(served.errors(probes) / unit, expected / unit))
    flips = int(((single > threshold) != (expected > threshold)).sum())
    return _passed(Parity("autoencoder", len(probes), difference, flips), AUTOENCODER_LIMIT)


def check_xgboost(
    booster: xgboost.Booster,
    data: bytes,
    rows: Floats,
    calibration: Calibration,
    cuts: tuple[float, ...] = (0.5, 0.8),
    count: int = PROBES,
    seed: int = 0,
) -> Parity:
    """Served margins and contributions against xgboost's own, and decisions at the cuts. Raises ParityError."""
    served = BoostedTrees(data, rows.shape[1])
    feature, threshold = served.arrays["feature"].ravel(), served.arrays["threshold"].ravel()
    probes = make_probes(rows, feature, threshold, count, seed, missing=True)
    expected = booster.predict(_matrix(probes), output_margin=True).astype(np.float64)
    single = np.array([served.predict_margin(probe) for probe in probes])
    difference = max(_largest(single, expected), _largest(served.predict_margins(probes), expected))
    flips = sum(int((_above(single, calibration, cut) != _above(expected, calibration, cut)).sum()) for cut in cuts)
    shap = _shap_difference(booster, served, np.concatenate([rows[: SHAP_PROBES // 2], probes[: SHAP_PROBES // 2]]))
    if not shap <= SHAP_LIMIT:
        raise ParityError(f"xgboost_classifier: contributions differ by up to {shap:.3g}, allowed {SHAP_LIMIT:.0e}")
    return _passed(Parity("xgboost_classifier", len(probes), difference, flips, shap), XGBOOST_LIMIT)


def make_probes(
    rows: Floats, feature: NDArray[np.integer], threshold: NDArray[np.floating], count: int, seed: int, missing: bool
) -> Floats:
    """Probes (count, features) made of rows (n, features); feature and threshold list the splits of a model's trees.

    A fourth of the probes are real rows; the others are shuffled, then partly on thresholds and partly missing.
    """
    random = np.random.default_rng(seed)
    shape = (count, rows.shape[1])
    probes = rows[random.integers(0, len(rows), shape), np.arange(shape[1])]
    for column in range(shape[1]):
        values = np.unique(threshold[feature == column].astype(np.float64))
        if len(values):
            near = _neighbours(values)
            chosen = random.random(count) < _ON_THRESHOLD
            probes[chosen, column] = near[random.integers(0, len(near), int(chosen.sum()))]
    if missing:
        probes[random.random(shape) < _MISSING] = np.nan
    real = random.integers(0, len(rows), count // 4)
    probes[: len(real)] = rows[real]
    result: Floats = probes[random.permutation(count)]
    return result


def _neighbours(values: Floats) -> Floats:
    """Each value, and the float32 at or below it with the ones on both sides."""
    single = values.astype(np.float32)
    low, high = np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(np.inf))
    return np.concatenate([values, single, low, high])


def _shap_difference(booster: xgboost.Booster, served: BoostedTrees, probes: Floats) -> float:
    explainer = TreeShap(served)
    expected = booster.predict(_matrix(probes), pred_contribs=True)
    single = np.array([explainer.contributions(probe) for probe in probes])
    bias = np.full(len(probes), explainer.expected_margin)
    return max(_largest(single, expected[:, :-1]), _largest(bias, expected[:, -1]))


def _matrix(rows: Floats) -> xgboost.DMatrix:
    return xgboost.DMatrix(rows.astype(np.float32), missing=np.nan, nthread=1)


def _above(margins: Floats, calibration: Calibration, cut: float) -> NDArray[np.bool_]:
    return np.array([probability(margin, calibration.slope, calibration.intercept) >= cut for margin in margins])


def _largest(served: Floats, expected: Floats) -> float:
    return float(np.abs(served - expected).max())


def _passed(parity: Parity, limit: float) -> Parity:
    if not parity.max_difference <= limit:  # also when it is NaN
        raise ParityError(f"{parity.model}: differs by up to {parity.max_difference:.3g}, allowed {limit:.0e}")
    if parity.flips:
        raise ParityError(f"{parity.model}: {parity.flips} flags or decisions differ")
    return parity
