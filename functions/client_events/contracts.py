"""What the routes of feeds and webhooks take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from assay.client_events.records import WebhookStatus
from assay.schemas.base import Contract
from assay.schemas.event import Fact
from assay.webhooks.guard import MAX_URL

Kind = Literal["decision.final", "account.frozen", "account.blocked", "account.released"]
ALL: Literal["all"] = "all"


class ClientEvent(Contract):
    """One entry of a client's feed; a webhook gets the same bytes."""

    id: str = Field(description="The same in the feed and in every attempt at every webhook (`webhook-id`).")
    sequence: int = Field(description="1, 2, 3 .. in the client's feed, without gaps.")
    type: Kind
    timestamp: datetime
    data: dict[str, Fact]


class EventPage(Contract):
    """Entries of a feed, oldest first."""

    events: list[ClientEvent]
    next: int = Field(description="For `after`, to go on, now or later.")


class NewWebhook(Contract):
    """Where events are to go, and which."""

    url: Annotated[str, StringConstraints(min_length=8, max_length=MAX_URL)] = Field(
        description="https, on a public address."
    )
    events: Literal["all"] | Annotated[list[Kind], Field(min_length=1, max_length=16)] = Field(
        description="Kinds of events, or `all`, also those that there will be."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if self.events != ALL and len(set(self.events)) != len(self.events):
            raise PydanticCustomError("unique", "Each kind should be named once", {"field": "events"})
        return self

    @property
    def kinds(self) -> tuple[str, ...] | None:
        """As they are kept."""
        return None if self.events == ALL else tuple(sorted(self.events))


class CreatedWebhook(Contract):
    """A new webhook. Its secret is shown this once."""

    id: str
    secret: str = Field(description="`whsec_` and base64: what messages are signed with.")


class NewSecret(Contract):
    """A webhook's new secret. It is shown this once."""

    secret: str
    former_until: datetime = Field(description="Messages are signed with the one before, too, until then.")


class WebhookView(Contract):
    """A webhook as it stands."""

    id: str
    url: str
    events: Literal["all"] | list[str]
    status: WebhookStatus
    reason: str | None = Field(description="Why it is disabled: `gone` (it answered 410) or `failing`.")
    created_at: datetime
    last_success_at: datetime | None
    last_failure_at: datetime | None
    error: str | None = Field(description="Why the last failure was one.")


class WebhookList(Contract):
    """All of the client's."""

    webhooks: list[WebhookView]
