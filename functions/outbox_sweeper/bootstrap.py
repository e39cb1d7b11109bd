"""Builds the function's collaborators."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from assay import settings
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox, WaitingEvent
from functions.outbox_sweeper.sweeper import Sweeper


class Settings(settings.Settings):
    """What the environment says."""

    outbox_table: str
    events_topic: str
    sweep_after_s: Annotated[int, Field(ge=1)] = 60


async def build(settings: Settings) -> Sweeper[WaitingEvent]:
    """The sweeper, with clients that belong to this event loop and live as long as the process."""
    clients = Clients()
    events = SnsEvents(await clients.open("sns"), settings.events_topic)
    return Sweeper(DynamoOutbox(await clients.open("dynamodb"), settings.outbox_table, events), settings.sweep_after_s)
