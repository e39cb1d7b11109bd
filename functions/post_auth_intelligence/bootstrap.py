"""Builds the function's collaborators."""

from __future__ import annotations

from assay.ports import ScoredEventStore
from functions.post_auth_intelligence.recorder import ScoredEventRecorder


def build(store: ScoredEventStore) -> ScoredEventRecorder:
    """The consumer over the given store."""
    return ScoredEventRecorder(store)
