"""Models for the baselines, trained at the start of a run on random data of seed B's shape.

Only the cost of a call matters here, so only the sizes are right: number of trees, samples, depth, layers, features.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import joblib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

ANOMALY_FEATURES = 13


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the three models are."""

    forest_trees: int
    hidden: tuple[int, ...]
    boosted_trees: int
    depth: int
    boosted_features: int


SEED_B = Sizes(forest_trees=100, hidden=(16, 8, 16), boosted_trees=200, depth=6, boosted_features=17)
"""The sizes of the source system's own models (seed-facts.md, 4b)."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The three models and the autoencoder's scaler, as the training libraries keep them."""

    forest: IsolationForest
    scaler: StandardScaler
    autoencoder: MLPRegressor
    boosted: XGBClassifier


def rows_like_seed_b(rows: int, features: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Skewed positive numbers, counts and codes, and labels noisy enough for the trees to grow to their full depth."""
    rng = np.random.default_rng(42)
    data = rng.lognormal(0.5, 1.0, (rows, features))
    data[:, ::3] = np.floor(data[:, ::3])
    risk = data[:, 0] + data[:, 1] * data[:, 2] - data[:, 5] + rng.normal(0, 3, rows)
    return data, (risk > np.quantile(risk, 0.9)).astype(np.int64)


def train(sizes: Sizes, rows: int = 20_000) -> Trained:
    """Train all three (some seconds on two cores)."""
    data, labels = rows_like_seed_b(rows, max(sizes.boosted_features, ANOMALY_FEATURES))
    anomaly = data[:, :ANOMALY_FEATURES]
    forest = IsolationForest(n_estimators=sizes.forest_trees, max_samples=256, contamination=0.04, random_state=42)
    scaler = StandardScaler().fit(anomaly)
    autoencoder = MLPRegressor(hidden_layer_sizes=sizes.hidden, max_iter=3, random_state=42, tol=1.0)
    boosted = XGBClassifier(
        n_estimators=sizes.boosted_trees, max_depth=sizes.depth, learning_rate=0.1, n_jobs=1, random_state=42
    )
    scaled = scaler.transform(anomaly)
    return Trained(
        forest=forest.fit(anomaly),
        scaler=scaler,
        autoencoder=autoencoder.fit(scaled, scaled),
        boosted=boosted.fit(data[:, : sizes.boosted_features], labels),
    )


def write(trained: Trained, folder: Path) -> None:
    """One joblib file each, for the server processes of this run only."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("forest", "scaler", "autoencoder", "boosted"):
        joblib.dump(getattr(trained, name), folder / f"{name}.joblib")


def load(folder: Path, name: str) -> object:
    """One of the files `write` has made."""
    return joblib.load(folder / f"{name}.joblib")
