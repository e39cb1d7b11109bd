"""Builds the rules engine of a release, once per process."""

from __future__ import annotations

import json
from typing import Protocol

from assay import settings
from assay.errors import RuleError
from assay.rules.ruleset import FILE, RuleSet
from assay.stages import Handler
from functions.rules_engine.engine import RulesEngine

EVIDENCE_FILE = "rule_evidence.json"


class Settings(settings.Settings):
    """What the function reads from its environment."""

    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""


class ReleaseFiles(Protocol):
    """The verified files of a release."""

    def read(self, name: str) -> bytes:
        """Bytes of one file; ReleaseError when the release does not hold it."""
        ...


def build(release: ReleaseFiles) -> RulesEngine:
    """The engine of the release's rules. Raises RuleError or ReleaseError."""
    return RulesEngine(RuleSet.load(release.read(FILE), _evidence(release.read(EVIDENCE_FILE))))


def stage(release: ReleaseFiles) -> Handler:
    """The stage of a verified release, request in, response out. Raises ReleaseError, RuleError."""
    return build(release).evaluate


def _evidence(document: bytes) -> dict[str, float]:
    """Rule id -> weight of evidence. The weights themselves are checked with their rules."""
    try:
        weights = json.loads(document)
    except (ValueError, RecursionError):
        raise RuleError(f"{EVIDENCE_FILE}: not valid JSON") from None
    if not isinstance(weights, dict):
        raise RuleError(f"{EVIDENCE_FILE}: not an object of rule ids and weights")
    return weights
