"""Moves of the release registry become events of an installation on AWS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.transactions import transact
from assay.release.pointer import Move
from assay.release.telling import event_of


async def announce(dynamodb: Any, outbox: DynamoOutbox, moves: Iterable[Move]) -> None:  # noqa: ANN401 - made at run time
    """Commits their events to the outbox, whose sweeper publishes what is not published now. Raises `StorageError`.

    An event that was announced already comes again with the same id: consumers know it, the audit log keeps the first.
    """
    events = [(event_of(move), move.at) for move in moves]
    if not events:
        return
    entries = [outbox.entry(event.client_id, event.id, event.to_json(), at) for event, at in events]
    await transact(dynamodb, [put for _, put in entries], "release")
    await asyncio.gather(*(outbox.deliver_soon(event) for event, _ in entries))
