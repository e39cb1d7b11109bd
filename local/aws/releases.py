"""Announces moves of the release registry on AWS. Region and credentials are the environment's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from assay.adapters.aws.clients import Clients
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.transactions import transact
from assay.release.pointer import Move
from assay.release.telling import event_of


async def publish(moves: Iterable[Move], outbox_table: str, events_topic: str) -> None:
    """Commits their events to the outbox, whose sweeper publishes what is not published now. Raises `StorageError`.

    An event that was announced already comes again with the same id: consumers know it, the audit log keeps the first.
    """
    async with Clients() as clients:
        dynamodb = await clients.open("dynamodb")
        outbox = DynamoOutbox(dynamodb, outbox_table, SnsEvents(await clients.open("sns"), events_topic))
        events = [(event_of(move), move.at) for move in moves]
        entries = [outbox.entry(event.client_id, event.id, event.to_json(), at) for event, at in events]
        await transact(dynamodb, [put for _, put in entries], "release")
        await asyncio.gather(*(outbox.deliver_soon(event) for event, _ in entries))
