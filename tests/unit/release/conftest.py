"""A release with placeholder files: the store verifies bytes and never looks into them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.release.manifest import (
    FILES,
    AnomalyModel,
    Calibration,
    Classifier,
    ManifestBody,
    Models,
    Training,
)
from assay.release.store import write_release


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def body() -> ManifestBody:
    return ManifestBody(
        version="2026.1",
        models=Models(
            isolation_forest=AnomalyModel(features=["amount", "channel"], threshold=0.0),
            autoencoder=AnomalyModel(features=["amount"], threshold=0.3),
            xgboost_classifier=Classifier(features=["amount", "tx_count_last_5m", "channel"]),
        ),
        categories={"channel": ["web", "münze"]},
        medians={"amount": 20.0},
        transforms={"amount": "log1p"},
        calibration=Calibration(slope=1.0, intercept=0.0),
        training=Training(seed=1, rows=10, frauds=2, data_sha256="a" * 64),
        libraries={"numpy": "2.4"},
        metrics={"average_precision": 0.25, "parity.autoencoder.probes": 20_000.0},
    )


@pytest.fixture
def files() -> dict[str, bytes]:
    return {name: f"content of {name}\n".encode() * 20 for name in FILES}


@pytest.fixture
def folder(tmp_path: Path, body: ManifestBody, files: dict[str, bytes], key: Ed25519PrivateKey) -> Path:
    return write_release(tmp_path / "releases", body, files, key)
