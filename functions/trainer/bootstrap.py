"""What the trainer's environment says, on AWS."""

from __future__ import annotations

import assay.settings


class Settings(assay.settings.Settings):
    """What the environment says."""

    archive: str
    """Of scored events: `s3://bucket/prefix`, or a folder."""
    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""
    training: str
    """Beside it, a location again: the golden set, costs.yaml, and reports for people."""
    release_key: str
    """What releases are signed with: `secretsmanager:ARN`, a private key in PEM."""
    memory_mb: int
    """Of the function: what bounds the history that it trains on."""
    labels_table: str
    """Of labels and of reports."""
    outbox_table: str
    events_topic: str
    """ARN."""
