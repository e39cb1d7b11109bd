"""What is kept of alerts and of the messages that carry them. Times in microseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from assay.alerts.windows import Limits, Window, place

MAIL = "mail"
"""The channel of mails. Every other channel is the name of a webhook."""


class State(StrEnum):
    """Of a message."""

    PENDING = "pending"
    """To be sent when it is due; while it is being sent, due again when the claim runs out."""
    SENT = "sent"
    DEAD = "dead"
    """Given up. `redrive` makes it pending again."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a route has people told of: once per route, client and event, whatever is delivered twice."""

    id: str
    route: str
    created_at: int
    kind: str
    """Of the event."""
    client_id: str
    transaction_id: str | None
    """None: about no transaction."""
    decision: str | None
    details: str
    """JSON, to be put into messages. No card number, nothing that cannot be printed."""


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert to record, and who is to have it."""

    alert: Alert
    recipients: tuple[str, ...]
    """Mail addresses; empty: no mail."""
    webhooks: tuple[str, ...]
    """Names."""
    limits: Limits
    """How many mails the route may send."""


@dataclass(frozen=True, slots=True)
class Message:
    """One mail, about one alert or (a digest) many, or one call of a webhook about one alert."""

    id: str
    """The same however often it is sent: receivers tell repeats by it."""
    route: str
    channel: str
    created_at: int
    due_at: int
    is_digest: bool = False
    recipients: tuple[str, ...] = ()
    """Mail addresses, or the webhook's name, that it has yet to reach."""
    refused: tuple[str, ...] = ()
    """Those that are given up. Once the message is dead, all that it did not reach."""
    state: State = State.PENDING
    attempts: int = 0
    """Begun so far, the one under way included."""
    error: str = ""
    """Why the last attempt failed: a few words, no value."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What recording an alert writes, all of it or nothing."""

    messages: tuple[Message, ...]
    """Those that carry the alert. A digest may be there already; every other is new."""
    window: Window | None
    """The route's window from now on; None when the alert is not mailed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An alert with what became of it."""

    alert: Alert
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list of alerts, newest first: that of an alert."""

    created_at: int
    alert_id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts are asked for; None: any."""

    client_id: str | None = None
    """Alerts about this client's transactions only."""
    route: str | None = None
    state: State | None = None
    """Alerts with a message in this state."""


def alert_id(route: str, kind: str, client_id: str, event_id: str) -> str:
    """The identity of an alert: `event_id` is the transaction's id, or that of an event of another kind."""
    return f"alt_{_hash(route, kind, client_id, event_id)}"


def plan(new: NewAlert, window: Window | None, *, is_claimed: bool = False) -> Plan:
    """How an alert is carried, after the route's window so far. `is_claimed`: that window's digest is being sent."""
    alert = new.alert
    calls = tuple(_message(alert, webhook) for webhook in new.webhooks)
    if not new.recipients:
        return Plan(calls, None)
    now = max(alert.created_at, window.end) if window is not None and is_claimed else alert.created_at
    window, is_single = place(window, new.limits, now)
    mail = _message(alert, MAIL) if is_single else _digest(alert, window)
    return Plan((replace(mail, recipients=new.recipients), *calls), window)


def digest_id(route: str, window: Window) -> str:
    """The id of the window's digest."""
    return _message_id(route, MAIL, str(window.start))


def _digest(alert: Alert, window: Window) -> Message:
    id_ = digest_id(alert.route, window)
    return Message(id_, alert.route, MAIL, alert.created_at, window.end, is_digest=True)


def _message(alert: Alert, channel: str) -> Message:
    id_ = _message_id(alert.route, channel, alert.id)
    return Message(id_, alert.route, channel, alert.created_at, alert.created_at, recipients=(channel,))


def _message_id(route: str, channel: str, about: str) -> str:
    return f"msg_{_hash(route, channel, about)}"


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:32]
