"""What is kept of events for clients, of their webhooks and of deliveries. Times in microseconds since the epoch.

A client's feed is a sequence of entries without gaps, 1, 2, 3 ..: stores give the next number and write the entry in
one commit, each after the one before, so who has read up to a number has missed nothing below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import to_json

from assay.features.windows import DAY
from assay.moments import moment
from assay.schemas.event import Fact

FACTS: Mapping[str, tuple[str, ...]] = {
    "decision.final": ("transaction_id", "challenge_id", "decision", "reason"),
    "account.frozen": ("account_id", "transaction_id", "version", "until", "reasons"),
    "account.blocked": ("account_id", "transaction_id", "version"),
    "account.released": ("account_id", "transaction_id", "version"),
}
"""Kinds of events that clients are told of, and what they are told. Not who released an account, nor why."""
KINDS = tuple(FACTS)
KEPT = 30 * DAY
"""How long entries of feeds, and deliveries that were given up, are kept at least."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that concerns a client, before it has its place in the feed."""

    client_id: str
    event_id: str
    kind: str
    occurred_at: int
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a client's feed. `body` is what is pushed, and what the feed shows, byte for byte."""

    client_id: str
    sequence: int
    event_id: str
    kind: str
    at: int
    """When it was recorded."""
    body: bytes = field(repr=False)


class WebhookStatus(StrEnum):
    """Of a webhook."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """For good: whoever mends it makes a new one."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret, encrypted with the installation key for its webhook."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    sealed: bytes = field(repr=False)
    until: int | None = None
    """It signs until then; None: it is the newest."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a webhook's attempts have gone."""

    last_success_at: int | None = None
    last_failure_at: int | None = None
    failing_since: int | None = None
    """The first failure after the last success; None: the last attempt succeeded."""
    error: str = ""
    """Why the last failure was one: a few words."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL of a client, and which kinds of events it gets. `version` is one more with every change."""

    id: str
    client_id: str
    url: str = field(repr=False)
    """It may hold a secret of the receiver's."""
    kinds: tuple[str, ...] | None
    """None: all, also those that there will be."""
    created_at: int
    secrets: tuple[SealedSecret, ...]
    status: WebhookStatus = WebhookStatus.ACTIVE
    reason: str = ""
    """Why it is disabled: `gone`, `failing`."""
    version: int = 1

    def wants(self, kind: str) -> bool:
        """Whether events of this kind are pushed to it."""
        return self.status is WebhookStatus.ACTIVE and (self.kinds is None or kind in self.kinds)


class DeliveryState(StrEnum):
    """Of a delivery. What was delivered is not kept."""

    PENDING = "pending"
    """To be sent when it is due; while it is being sent, due again when the claim runs out."""
    DEAD = "dead"
    """Given up. `redrive` makes it pending again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One entry on its way to one webhook."""

    webhook_id: str
    event_id: str
    """Also the message's id: the same in every attempt, and in the feed."""
    body: bytes = field(repr=False)
    created_at: int
    due_at: int
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    """Begun so far, the one under way included."""
    error: str = ""
    """Why the last attempt failed: a few words, no value."""


_WEBHOOK = TypeAdapter(Webhook)


def entry(news: News, sequence: int, now: int) -> Entry:
    """The news at its place in the feed."""
    document = {
        "id": news.event_id,
        "sequence": sequence,
        "type": news.kind,
        "timestamp": moment(news.occurred_at),
        "data": news.facts,
    }
    return Entry(news.client_id, sequence, news.event_id, news.kind, now, to_json(document))


def deliveries(new: Entry, webhooks: Sequence[Webhook]) -> list[Delivery]:
    """Of the entry, to those of the client's webhooks that get its kind."""
    return [
        Delivery(webhook.id, new.event_id, new.body, new.at, new.at) for webhook in webhooks if webhook.wants(new.kind)
    ]


def webhook_to_json(webhook: Webhook) -> str:
    """As stores keep it."""
    return _WEBHOOK.dump_json(webhook).decode()


def webhook_from_json(text: str | bytes) -> Webhook:
    """What a store has kept."""
    return _WEBHOOK.validate_json(text)
