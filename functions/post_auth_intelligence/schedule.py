"""AWS Lambda entry point of another function of the same image: looks for drift and patterns, on a schedule.

A function of its own: it needs minutes and gigabytes where recording needs neither.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from assay import settings
from assay.adapters.archives import open_archive
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.intelligence import DynamoReportStore
from assay.adapters.aws.labels import DynamoLabelStore
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.table import Table
from assay.release.keys import load_trusted_keys
from assay.release.served import MODELS, open_champion
from functions.post_auth_intelligence.looking import Looker


class Settings(settings.Settings):
    """What the function reads from its environment."""

    archive: str
    """Of scored events: `s3://bucket/prefix`, or a folder."""
    releases: str
    """The release registry: `s3://bucket/prefix`, or a folder."""
    labels_table: str
    outbox_table: str
    events_topic: str


async def look(settings: Settings) -> dict[str, bool]:
    """One look, by the champion of this moment; which of the reports are new. Raises `AssayError`."""
    release = open_champion(settings.releases, load_trusted_keys(MODELS / "keys"), MODELS / "releases")
    clients = Clients()
    try:
        dynamodb, sns = await clients.open("dynamodb"), await clients.open("sns")
        outbox = DynamoOutbox(dynamodb, settings.outbox_table, SnsEvents(sns, settings.events_topic))
        table = Table(dynamodb, settings.labels_table, outbox, "intelligence")
        looker = Looker(open_archive(settings.archive), DynamoReportStore(table), DynamoLabelStore(table), release)
        return await looker.look(datetime.now(UTC))
    finally:
        await clients.close()


def handler(_event: object, _context: object) -> dict[str, bool]:
    """What the schedule says does not matter. Raises `AssayError`, and then the next run makes up for it."""
    return asyncio.run(look(Settings.from_environment()))
