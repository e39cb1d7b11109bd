"""Builds the function's collaborators. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

import assay.settings
from assay.adapters.archives import open_archive
from assay.ports import ScoredEventStore
from assay.scored_event_archive import ScoredEventArchive
from functions.post_auth_intelligence.recorder import ScoredEventRecorder


class Settings(assay.settings.Settings):
    """What the function reads from its environment."""

    archive: str
    """`s3://bucket/prefix`, or a folder."""


def build(store: ScoredEventStore) -> ScoredEventRecorder:
    """The consumer over the given store."""
    return ScoredEventRecorder(store)


def open_store(settings: Settings) -> ScoredEventStore:
    """The scored events in the archive that the settings name. Raises `SettingsError`."""
    return ScoredEventArchive(open_archive(settings.archive))
