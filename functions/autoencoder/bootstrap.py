"""Builds the autoencoder stage of a release, once per process."""

from __future__ import annotations

from assay import settings
from assay.release.models import load_autoencoder, vectoriser
from assay.release.store import Release
from assay.stages import Handler
from functions.autoencoder.scorer import AutoencoderScorer


class Settings(settings.Settings):
    """What the function reads from its environment."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""


def build(release: Release) -> AutoencoderScorer:
    """The scorer of a verified release. Raises ReleaseError."""
    manifest = release.manifest
    encoding = vectoriser(manifest, "autoencoder")
    return AutoencoderScorer(encoding, load_autoencoder(release), manifest.models.autoencoder.threshold)


def stage(release: Release) -> Handler:
    """The stage of a verified release, request in, response out. Raises ReleaseError."""
    return build(release).score
