"""What the function is told by its environment."""

from __future__ import annotations

from assay import settings


class Settings(settings.AccessSettings):
    """What the environment says, on AWS."""

    client_events_table: str
    outbox_table: str
    events_topic: str
    """ARN."""
    installation_key: str
    """`secretsmanager:` and the ARN of the secret."""
    allow_local_webhooks: bool
    """For development: webhooks may be on private addresses, and without TLS."""
