"""The manifest of a release: everything about it that is not in one of its files, and the hash of each file.

It holds no wall-clock time: the same seed and data give the same bytes, hence the same release hash.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from assay.errors import ReleaseError
from assay.features.catalog import BY_NAME
from assay.schemas.base import Contract, Finite
from assay.validation import key_path

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
ISOLATION_FOREST = "isolation_forest.npz"
AUTOENCODER = "autoencoder.npz"
XGBOOST_CLASSIFIER = "xgboost_classifier.npz"
FILES: tuple[str, ...] = (
    ISOLATION_FOREST,
    AUTOENCODER,
    XGBOOST_CLASSIFIER,
    "rules.yaml",
    "policy.yaml",
    "rates.yaml",
    "reference.json",
    "rule_evidence.json",
    "model_card.md",
)
"""What every release holds beside manifest and signature: all of these, and nothing else."""

VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Features = Annotated[list[str], Field(min_length=1, max_length=256)]
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, StringConstraints(max_length=200)]


class AnomalyModel(Contract):
    """An anomaly model's features, in the order of its arrays, and where it flags."""

    features: Features
    threshold: Finite


class Classifier(Contract):
    """The classifier's features, in the order of its arrays."""

    features: Features


class Models(Contract):
    """The three models. The forest flags below its threshold, the autoencoder above its own."""

    isolation_forest: AnomalyModel
    autoencoder: AnomalyModel
    xgboost_classifier: Classifier


class Calibration(Contract):
    """fraud probability = sigmoid(slope * margin + intercept)."""

    slope: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    intercept: Finite


class Training(Contract):
    """What the release was trained on."""

    seed: int
    rows: Count
    frauds: Count
    data_sha256: Sha256
    """Fingerprint of the training data."""


class ManifestBody(Contract):
    """A manifest before its files are written."""

    format_version: Literal[1] = 1
    version: Version
    models: Models
    categories: dict[str, list[Text]]
    """Per category feature, the values in the order of their codes; any other value has the code after the last."""
    medians: dict[str, Finite]
    """Per number feature of the anomaly models: stands in for unknown."""
    transforms: dict[str, Literal["log1p"]] = {}
    """Per number feature, what the anomaly models see of it; the classifier sees the value itself."""
    calibration: Calibration
    training: Training
    libraries: dict[str, Text]
    metrics: dict[str, Finite]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        models = self.models
        for model in (models.isolation_forest, models.autoencoder, models.xgboost_classifier):
            _require(len(set(model.features)) == len(model.features), "a model names a feature twice")
        anomaly = {*models.isolation_forest.features, *models.autoencoder.features}
        used = anomaly.union(models.xgboost_classifier.features)
        _require(used <= BY_NAME.keys(), f"unknown features: {sorted(used - BY_NAME.keys())}")
        categories = {name for name in used if BY_NAME[name].kind == "category"}
        _require(categories == self.categories.keys(), "categories do not match the models' category features")
        for name, values in self.categories.items():
            _require(len(set(values)) == len(values), f"category {name} lists a value twice")
        _require(anomaly - categories <= self.medians.keys(), "an anomaly model's number feature has no median")
        _require(self.transforms.keys() <= anomaly - categories, "a transform of what is not an anomaly number feature")
        _require(models.autoencoder.threshold > 0, "the autoencoder's threshold is not above 0")
        _require(self.training.frauds <= self.training.rows, "more frauds than rows")
        return self


class Manifest(ManifestBody):
    """manifest.json."""

    files: dict[str, Sha256]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _require(self.files.keys() == set(FILES), "the files listed are not those of a release")
        return self


def encode(body: ManifestBody, files: dict[str, bytes]) -> bytes:
    """Bytes of manifest.json for the files, the same for equal content. ReleaseError when it is incomplete."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    try:
        manifest = Manifest(**body.model_dump(), files=hashes)
    except ValidationError as error:
        raise ReleaseError(_reason(error)) from error
    document = _sorted_json(manifest)
    decode(document)
    return document


def decode(document: bytes) -> Manifest:
    """The manifest of its bytes, which must be verified before. ReleaseError names what is wrong."""
    try:
        return Manifest.model_validate_json(document)
    except ValidationError as error:
        raise ReleaseError(_reason(error)) from error


def _sorted_json(manifest: Manifest) -> bytes:
    return json.dumps(manifest.model_dump(mode="json"), indent=2, sort_keys=True).encode() + b"\n"


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{MANIFEST}: {key_path(first['loc']) or 'file'}: {first['msg']}"


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)
