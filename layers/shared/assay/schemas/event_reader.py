"""Reads events of either shape, each consumer with its own view of them."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Discriminator, Tag, TypeAdapter, ValidationError

from assay.errors import PoisonEvent
from assay.schemas.event import TRANSACTION_SCORED, Event

Scored = TypeVar("Scored", bound=BaseModel)
Other = TypeVar("Other", bound=Event)


class EventReader(Generic[Scored, Other]):
    """`scored`: the view of `transaction.scored`; `other`: of every other kind."""

    def __init__(self, scored: type[Scored], other: type[Other]) -> None:
        either = Annotated[scored, Tag("scored")] | Annotated[other, Tag("other")]  # type: ignore[valid-type]
        self._adapter: TypeAdapter[Scored | Other] = TypeAdapter(Annotated[either, Discriminator(_shape)])

    def read(self, body: bytes) -> Scored | Other:
        """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
        try:
            return self._adapter.validate_json(body)
        except ValidationError as error:
            raise PoisonEvent(f"not an event of Assay: {error.error_count()} errors") from None


def _shape(event: Any) -> str:  # noqa: ANN401 - any JSON may arrive
    return "scored" if isinstance(event, dict) and event.get("event") == TRANSACTION_SCORED else "other"
