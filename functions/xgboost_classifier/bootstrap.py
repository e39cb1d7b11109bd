"""Builds the classifier stage of a release, once per process."""

from __future__ import annotations

from assay import settings
from assay.policy import Policy
from assay.release.models import load_xgboost, vectoriser
from assay.release.store import Release
from assay.stages import Handler
from functions.xgboost_classifier.scorer import XgboostScorer


class Settings(settings.Settings):
    """What the function reads from its environment."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""


def build(release: Release) -> XgboostScorer:
    """The scorer of a verified release: explains what its policy would challenge. Raises ReleaseError, PolicyError."""
    manifest = release.manifest
    explain_above = Policy.of(release).challenge_above
    encoding = vectoriser(manifest, "xgboost_classifier")
    return XgboostScorer(encoding, load_xgboost(release), manifest.calibration, explain_above)


def stage(release: Release) -> Handler:
    """The stage of a verified release, request in, response out. Raises ReleaseError, PolicyError."""
    return build(release).score
