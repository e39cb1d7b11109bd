"""Light views of `TransactionScored`: each consumer reads what it needs, and keeps or passes over the rest."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import PoisonEvent
from assay.schemas.base import Token
from assay.schemas.fields import Timestamp
from assay.schemas.stages import Decision


class View(BaseModel):
    """What is needed of a part; the rest is passed over."""

    model_config = ConfigDict(strict=True, frozen=True)


class ScoredRelease(View):
    """The release that decided."""

    version: str
    hash: str


class ScoredVerdict(View):
    """Of the verdict."""

    transaction_id: Token
    decided_at: Timestamp
    decision: Decision
    is_early_exit: bool
    release: ScoredRelease


class ScoredHead(View):
    """Of the event. That it holds features and the transaction is checked, what they are is not."""

    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: Token
    features: Any
    transaction: Any
    verdict: ScoredVerdict


Scored = TypeVar("Scored", bound=View)


def read_as(view: type[Scored], body: bytes) -> Scored:
    """The view of an event's bytes. Raises `PoisonEvent`, which says nothing of what the message holds."""
    try:
        return view.model_validate_json(body)
    except ValidationError as error:
        raise PoisonEvent(f"not an event of this kind: {error.error_count()} errors") from None


def read_scored(body: bytes) -> ScoredHead:
    """What most need. Raises `PoisonEvent`."""
    return read_as(ScoredHead, body)
