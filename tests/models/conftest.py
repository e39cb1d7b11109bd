"""Small models, trained once per run, and a release made of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xgboost
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from assay.features.catalog import ANOMALY_NAMES, BASE_NAMES, BY_NAME
from assay.models.encoding import Vectoriser
from assay.release.manifest import (
    AnomalyModel,
    Calibration,
    Classifier,
    ManifestBody,
    Models,
    Training,
)
from assay.release.models import vectoriser
from assay.release.store import Release, open_release, write_release
from training.export import export_autoencoder, export_isolation_forest, export_xgboost

DEFAULTS = Path(__file__).parents[2] / "training" / "defaults"
CATEGORIES = {
    "channel": ["mobile", "web", "atm"],
    "auth_method": ["pin", "otp"],
    "geo_country": ["DE", "FR", "GH"],
    "currency": ["EUR", "USD"],
}
Transaction = dict[str, float | str | None]


@dataclass(frozen=True)
class Trained:
    body: ManifestBody
    transactions: list[Transaction]
    labels: np.ndarray
    forest: IsolationForest
    scaler: StandardScaler
    network: MLPRegressor
    booster: xgboost.Booster
    files: dict[str, bytes]

    def rows(self, model: str) -> np.ndarray:
        return vectoriser(self.body, model).rows(self.transactions)


def make_transactions(count: int, seed: int) -> list[Transaction]:
    random = np.random.default_rng(seed)

    def value(name: str) -> float | str | None:
        if random.random() < 0.08:
            return None
        if BY_NAME[name].kind == "category":
            return str(random.choice([*CATEGORIES[name], "elsewhere"]))
        if BY_NAME[name].kind == "flag":
            return float(random.integers(0, 2))
        return float(np.round(random.lognormal(1.0, 1.5), 2))

    return [{name: value(name) for name in BASE_NAMES} for _ in range(count)]


def train_booster(rows: np.ndarray, labels: np.ndarray, **parameters: object) -> xgboost.Booster:
    settings = {"objective": "binary:logistic", "max_depth": 5, "eta": 0.2, "nthread": 1, "seed": 1, **parameters}
    return xgboost.train(settings, xgboost.DMatrix(rows, labels), 40)


@pytest.fixture(scope="session")
def trained() -> Trained:
    transactions = make_transactions(3000, seed=5)
    body = ManifestBody(
        version="test-1",
        models=Models(
            isolation_forest=AnomalyModel(features=list(ANOMALY_NAMES), threshold=0.0),
            autoencoder=AnomalyModel(features=list(ANOMALY_NAMES), threshold=0.8),
            xgboost_classifier=Classifier(features=list(BASE_NAMES)),
        ),
        categories=CATEGORIES,
        medians={name: 2.5 for name in ANOMALY_NAMES if BY_NAME[name].kind != "category"},
        transforms={"amount": "log1p", "avg_tx_amount_7d": "log1p"},
        calibration=Calibration(slope=0.9, intercept=-0.1),
        training=Training(seed=5, rows=3000, frauds=400, data_sha256="0" * 64),
        libraries={"xgboost": xgboost.__version__},
        metrics={"average_precision": 0.5},
    )
    anomaly_rows = vectoriser(body, "isolation_forest").rows(transactions)
    rows = vectoriser(body, "xgboost_classifier").rows(transactions)
    random = np.random.default_rng(2)
    labels = np.nan_to_num(rows[:, 3]) * random.random(len(rows)) + 3 * np.nan_to_num(rows[:, 6]) > 8
    forest = IsolationForest(n_estimators=50, max_samples=128, random_state=1).fit(anomaly_rows)
    scaler = StandardScaler().fit(anomaly_rows)
    network = MLPRegressor(hidden_layer_sizes=(8, 4, 8), max_iter=10, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(scaler.transform(anomaly_rows), scaler.transform(anomaly_rows))
    booster = train_booster(rows, labels)
    files = {
        "isolation_forest.npz": export_isolation_forest(forest),
        "autoencoder.npz": export_autoencoder(scaler, network),
        "xgboost_classifier.npz": export_xgboost(booster),
        **{name: (DEFAULTS / name).read_bytes() for name in ("rules.yaml", "policy.yaml", "rates.yaml")},
        **{name: json.dumps({}).encode() for name in ("reference.json", "rule_evidence.json")},
        "model_card.md": b"# Test\n",
    }
    return Trained(body, transactions, labels, forest, scaler, network, booster, files)


@pytest.fixture(scope="session")
def release_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ManifestBody, dict[str, bytes]], Release]:
    """Signs, writes and opens a release of any content."""
    key = Ed25519PrivateKey.generate()

    def make(body: ManifestBody, files: dict[str, bytes]) -> Release:
        return open_release(write_release(tmp_path_factory.mktemp("r"), body, files, key), [key.public_key()])

    return make


@pytest.fixture(scope="session")
def release(trained: Trained, release_of: Callable[[ManifestBody, dict[str, bytes]], Release]) -> Release:
    return release_of(trained.body, trained.files)


@pytest.fixture(scope="session")
def encoding(trained: Trained) -> Vectoriser:
    return vectoriser(trained.body, "xgboost_classifier")
