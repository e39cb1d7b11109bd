"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

import assay.settings
from assay.ports import ScoredEventStore
from functions.post_auth_intelligence.recorder import ScoredEventRecorder


class Settings(assay.settings.AccessSettings):
    """What the environment says, on AWS."""

    archive: str
    """Of scored events: `s3://bucket/prefix`, or a folder."""
    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""
    decisions_table: str
    """What labels are about."""
    profile_table: str
    """What counts confirmed fraud."""
    labels_table: str
    outbox_table: str
    events_topic: str
    """ARN."""


def build(store: ScoredEventStore) -> ScoredEventRecorder:
    """The consumer over the given store."""
    return ScoredEventRecorder(store)
