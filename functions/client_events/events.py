"""Reads events for clients: which client each concerns, and what the client is told of it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from assay.client_events.records import FACTS, News
from assay.errors import PoisonEvent
from assay.moments import microseconds
from assay.schemas.base import Token
from assay.schemas.event import Event

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:-]{1,64}$")]
"""Without a dot: it becomes the id of signed messages."""


_TOKEN = TypeAdapter(Token)


class ForClient(Event):
    """An event of a kind that clients are told of, about a transaction."""

    id: Id

    @model_validator(mode="after")
    def _is_for_a_client(self) -> Self:
        if self.event not in FACTS:
            raise PydanticCustomError("kind", "Clients are not told of such events")
        if not isinstance(self.data.get("transaction_id"), str):
            raise PydanticCustomError("transaction", "It should be about a transaction")
        return self


def read(body: bytes) -> News:
    """What the event of a message's bytes tells a client. Raises `PoisonEvent`, which says nothing of its values."""
    try:
        event = ForClient.model_validate_json(body)
        # What the system or a person did names the client that it concerns. Anything else the client did itself.
        client_id = _TOKEN.validate_python(event.data.get("client_id", event.client_id))
    except ValidationError as error:
        raise PoisonEvent(f"not an event for a client: {error.error_count()} errors") from None
    facts = {name: event.data[name] for name in FACTS[event.event] if name in event.data}
    return News(client_id, event.id, event.event, microseconds(event.occurred_at), facts)
