"""The manifest of a trained release: how to encode, which thresholds, what it was trained on, how well it did."""

from __future__ import annotations

from assay.features.catalog import ANOMALY_NAMES, NAMES
from assay.release.manifest import AnomalyModel, Classifier, ManifestBody, Models, Training
from training.models import calibration_of
from training.package import libraries
from training.prepare import TRANSFORMS
from training.settings import Settings
from training.work import Data, Fitted


def manifest_body(settings: Settings, data: Data, fitted: Fitted, metrics: dict[str, float]) -> ManifestBody:
    """Everything but the files' hashes, which the writer adds."""
    threshold = fitted.autoencoder.threshold
    return ManifestBody(
        version=settings.version,
        models=Models(
            isolation_forest=AnomalyModel(features=list(ANOMALY_NAMES), threshold=0.0),
            autoencoder=AnomalyModel(features=list(ANOMALY_NAMES), threshold=threshold),
            xgboost_classifier=Classifier(features=list(NAMES)),
        ),
        categories=data.encoding.categories,
        medians=data.encoding.medians,
        transforms=TRANSFORMS,
        calibration=calibration_of(fitted),
        training=Training(
            seed=settings.seed,
            rows=len(data.train.truth),
            frauds=int(data.train.known.sum()),
            data_sha256=data.table.fingerprint(),
        ),
        libraries=libraries(),
        metrics=metrics,
    )
