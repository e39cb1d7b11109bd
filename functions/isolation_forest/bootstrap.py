"""Builds the isolation forest stage of a release, once per process."""

from __future__ import annotations

from assay import settings
from assay.release.models import load_isolation_forest, vectoriser
from assay.release.store import Release
from assay.stages import Handler
from functions.isolation_forest.scorer import IsolationForestScorer


class Settings(settings.Settings):
    """What the function reads from its environment."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""


def build(release: Release) -> IsolationForestScorer:
    """The scorer of a verified release. Raises ReleaseError."""
    manifest = release.manifest
    encoding = vectoriser(manifest, "isolation_forest")
    return IsolationForestScorer(encoding, load_isolation_forest(release), manifest.models.isolation_forest.threshold)


def stage(release: Release) -> Handler:
    """The stage of a verified release, request in, response out. Raises ReleaseError."""
    return build(release).score
