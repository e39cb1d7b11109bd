"""Announces moves of the release registry on AWS. Region and credentials are the environment's."""

from __future__ import annotations

from collections.abc import Iterable

from assay.adapters.aws.clients import Clients
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.releases import announce
from assay.release.pointer import Move


async def publish(moves: Iterable[Move], outbox_table: str, events_topic: str) -> None:
    """Into the outbox's table and to the topic. Raises `StorageError`."""
    async with Clients() as clients:
        dynamodb = await clients.open("dynamodb")
        outbox = DynamoOutbox(dynamodb, outbox_table, SnsEvents(await clients.open("sns"), events_topic))
        await announce(dynamodb, outbox, moves)
