"""Builds the autoencoder stage of a release, once per process."""

from __future__ import annotations

from assay.release.models import load_autoencoder, vectoriser
from assay.release.store import Release
from functions.autoencoder.scorer import AutoencoderScorer


def build(release: Release) -> AutoencoderScorer:
    """The scorer of a verified release. Raises ReleaseError."""
    manifest = release.manifest
    encoding = vectoriser(manifest, "autoencoder")
    return AutoencoderScorer(encoding, load_autoencoder(release), manifest.models.autoencoder.threshold)
