"""Builds the isolation forest stage of a release, once per process."""

from __future__ import annotations

from assay.release.models import load_isolation_forest, vectoriser
from assay.release.store import Release
from functions.isolation_forest.scorer import IsolationForestScorer


def build(release: Release) -> IsolationForestScorer:
    """The scorer of a verified release. Raises ReleaseError."""
    manifest = release.manifest
    encoding = vectoriser(manifest, "isolation_forest")
    return IsolationForestScorer(encoding, load_isolation_forest(release), manifest.models.isolation_forest.threshold)
