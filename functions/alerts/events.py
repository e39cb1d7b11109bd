"""Reads what the function has to know of an event: of most it is only that nobody is told of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from assay.schemas.base import Token
from assay.schemas.card_numbers import contains_card_number
from assay.schemas.event import Event
from assay.schemas.event_reader import EventReader
from assay.schemas.fields import Timestamp
from assay.schemas.scored import View
from assay.schemas.stages import Decision


def _no_card(value: str) -> str:
    if contains_card_number(value):
        raise PydanticCustomError("card_number", "Looks like a card number")
    return value


Id = Annotated[Token, AfterValidator(_no_card)]


class Reason(View):
    """Of `Reason`."""

    analyst_text: str


class Release(View):
    """Of `ReleaseRef`."""

    version: str


class Verdict(View):
    """Of `FraudVerdict`."""

    transaction_id: Id
    decision: Decision
    fraud_score: float | None
    triggered_rules: list[str]
    triggered_by: str
    reasons: list[Reason]
    degraded: list[str]
    release: Release


class Transaction(View):
    """Of `TransactionRequest`, or of the flat one, which names nobody."""

    amount: float
    currency: str
    account_id: str | None = None
    counterparty_id: str | None = None
    channel: str | None = None
    geo_country: str | None = None


class Scored(View):
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


READER = EventReader(Scored, Other)


def read(body: bytes) -> Scored | Other:
    """The event of a message's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    return READER.read(body)
