"""The models of a verified release, ready to score. The only part of the package that needs numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from assay.errors import ReleaseError
from assay.models.autoencoder import Autoencoder
from assay.models.boosted_trees import BoostedTrees
from assay.models.encoding import Vectoriser
from assay.models.forest import IsolationForest
from assay.release import manifest as contents
from assay.release.manifest import ManifestBody
from assay.release.store import Release

ModelName = Literal["isolation_forest", "autoencoder", "xgboost_classifier"]
Model = TypeVar("Model")


def vectoriser(manifest: ManifestBody, model: ModelName) -> Vectoriser:
    """The encoding of a model's features: training builds its matrices with it, serving its rows.

    The anomaly models get medians for what is unknown, and the release's transforms; the classifier gets neither.
    """
    if model == "xgboost_classifier":
        return Vectoriser(manifest.models.xgboost_classifier.features, manifest.categories)
    chosen = manifest.models.isolation_forest if model == "isolation_forest" else manifest.models.autoencoder
    transforms = {name: kind for name, kind in manifest.transforms.items() if name in chosen.features}
    return Vectoriser(chosen.features, manifest.categories, manifest.medians, transforms)


def load_isolation_forest(release: Release) -> IsolationForest:
    """The release's forest. ReleaseError when its arrays do not fit together or the manifest."""
    features = release.manifest.models.isolation_forest.features
    return _load(release, contents.ISOLATION_FOREST, lambda data: IsolationForest(data, len(features)))


def load_autoencoder(release: Release) -> Autoencoder:
    """The release's autoencoder. ReleaseError when its arrays do not fit together or the manifest."""
    features = release.manifest.models.autoencoder.features
    return _load(release, contents.AUTOENCODER, lambda data: Autoencoder(data, len(features)))


def load_xgboost(release: Release) -> BoostedTrees:
    """The release's classifier. ReleaseError when its arrays do not fit together or the manifest."""
    features = release.manifest.models.xgboost_classifier.features
    return _load(release, contents.XGBOOST_CLASSIFIER, lambda data: BoostedTrees(data, len(features)))


def _load(release: Release, name: str, build: Callable[[bytes], Model]) -> Model:
    try:
        return build(release.read(name))
    except ReleaseError as error:
        raise ReleaseError(f"{name}: {error}") from error
