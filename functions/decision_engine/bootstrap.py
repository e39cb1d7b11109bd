"""Builds the decision engine of a release, once per process."""

from __future__ import annotations

from typing import Protocol

from assay.policy import FILE, Policy
from functions.decision_engine.engine import DecisionEngine


class ReleaseFiles(Protocol):
    """The verified files of a release."""

    def read(self, name: str) -> bytes:
        """Bytes of one file; ReleaseError when the release does not hold it."""
        ...


def read_policy(release: ReleaseFiles) -> Policy:
    """The release's policy. Raises PolicyError or ReleaseError."""
    return Policy.load(release.read(FILE))


def build(release: ReleaseFiles) -> DecisionEngine:
    """The engine that decides by the release's policy. Raises PolicyError or ReleaseError."""
    return DecisionEngine(read_policy(release))
