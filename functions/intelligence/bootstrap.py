"""What the function reads from its environment."""

from __future__ import annotations

import assay.settings


class Settings(assay.settings.Settings):
    """What the environment says, on AWS."""

    archive: str
    """Of scored events, and of the tables made of them: `s3://bucket/prefix`, or a folder."""
    releases: str
    """The release registry: `s3://bucket/prefix` or a folder."""
    labels_table: str
    """It holds the reports, too."""
    outbox_table: str
    events_topic: str
    """ARN."""
