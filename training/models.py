"""Exports the fitted models and holds every exported file against the library it came from."""

from __future__ import annotations

from assay.release.manifest import Calibration
from training.export import export_autoencoder, export_isolation_forest, export_xgboost
from training.parity import check_autoencoder, check_isolation_forest, check_xgboost
from training.work import Data, Fitted

PARITY_ROWS = 5_000
"""Real rows that the parity probes are made from."""


def export_models(data: Data, fitted: Fitted) -> tuple[dict[str, bytes], dict[str, float]]:
    """File name -> bytes, and what the parity gate measured per model. Raises ParityError."""
    anomaly, full = data.test.anomaly[-PARITY_ROWS:], data.test.full[-PARITY_ROWS:]
    forest, autoencoder, xgboost = fitted.forest, fitted.autoencoder, fitted.xgboost
    files = {
        "isolation_forest.npz": export_isolation_forest(forest.model),
        "autoencoder.npz": export_autoencoder(autoencoder.scaler, autoencoder.network),
        "xgboost_classifier.npz": export_xgboost(xgboost.booster),
    }
    results = (
        check_isolation_forest(forest.model, files["isolation_forest.npz"], anomaly, 0.0),
        check_autoencoder(
            autoencoder.scaler, autoencoder.network, files["autoencoder.npz"], anomaly, autoencoder.threshold
        ),
        check_xgboost(xgboost.booster, files["xgboost_classifier.npz"], full, calibration_of(fitted)),
    )
    return files, {name: value for parity in results for name, value in parity.metrics().items()}


def calibration_of(fitted: Fitted) -> Calibration:
    """As the manifest keeps it."""
    platt = fitted.calibration.platt
    return Calibration(slope=platt.slope, intercept=platt.intercept)
