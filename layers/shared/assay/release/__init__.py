"""Releases: what decides, as signed and verified files. Nothing here imports numpy but `models`."""

from assay.release.keys import load_or_create_signing_key, load_trusted_keys
from assay.release.manifest import AnomalyModel, Calibration, Classifier, ManifestBody, Models, Training
from assay.release.registry import set_champion
from assay.release.store import Release, open_release, versions, write_release

__all__ = [
    "AnomalyModel",
    "Calibration",
    "Classifier",
    "ManifestBody",
    "Models",
    "Release",
    "Training",
    "load_or_create_signing_key",
    "load_trusted_keys",
    "open_release",
    "set_champion",
    "versions",
    "write_release",
]
