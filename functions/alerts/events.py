"""Reads what the function has to know of an event: of most it is only that nobody is told of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Tag, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from assay.errors import PoisonEvent
from assay.schemas.base import Token
from assay.schemas.card_numbers import contains_card_number
from assay.schemas.event import TRANSACTION_SCORED, Event
from assay.schemas.fields import Timestamp
from assay.schemas.stages import Decision


def _no_card(value: str) -> str:
    if contains_card_number(value):
        raise PydanticCustomError("card_number", "Looks like a card number")
    return value


Id = Annotated[Token, AfterValidator(_no_card)]


class Part(BaseModel):
    """What is needed of a part; the rest is passed over."""

    model_config = ConfigDict(strict=True, frozen=True)


class Reason(Part):
    """Of `Reason`."""

    analyst_text: str


class Release(Part):
    """Of `ReleaseRef`."""

    version: str


class Verdict(Part):
    """Of `FraudVerdict`."""

    transaction_id: Id
    decision: Decision
    fraud_score: float | None
    triggered_rules: list[str]
    triggered_by: str
    reasons: list[Reason]
    degraded: list[str]
    release: Release


class Transaction(Part):
    """Of `TransactionRequest`, or of the flat one, which names nobody."""

    amount: float
    currency: str
    account_id: str | None = None
    counterparty_id: str | None = None
    channel: str | None = None
    geo_country: str | None = None


class Scored(Part):
    """Of `TransactionScored`."""

    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: Id
    occurred_at: Timestamp
    amount_base: float | None
    transaction: Transaction
    verdict: Verdict


class Other(Event):
    """An event of another kind."""

    id: Id
    client_id: Id


def _shape(event: Any) -> str:  # noqa: ANN401 - any JSON may arrive
    return "scored" if isinstance(event, dict) and event.get("event") == TRANSACTION_SCORED else "other"


_EVENT: TypeAdapter[Scored | Other] = TypeAdapter(
    Annotated[Annotated[Scored, Tag("scored")] | Annotated[Other, Tag("other")], Discriminator(_shape)]
)


def read(body: bytes) -> Scored | Other:
    """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    try:
        return _EVENT.validate_json(body)
    except ValidationError as error:
        raise PoisonEvent(f"not an event of Assay: {error.error_count()} errors") from None
