"""Builds the decision engine of a release, once per process."""

from __future__ import annotations

from assay import settings
from assay.policy import Policy, ReleaseFiles
from assay.stages import Handler
from functions.decision_engine.engine import DecisionEngine


class Settings(settings.Settings):
    """What the function reads from its environment."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""


def build(release: ReleaseFiles) -> DecisionEngine:
    """The engine that decides by the release's policy. Raises PolicyError or ReleaseError."""
    return DecisionEngine(Policy.of(release))


def stage(release: ReleaseFiles) -> Handler:
    """The stage of a verified release, request in, response out. Raises ReleaseError, PolicyError."""
    return build(release).decide
