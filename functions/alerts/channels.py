"""The ways on which messages leave: mail, and webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic_core import to_json

from assay.alerts.details import Details
from assay.alerts.ports import Mailer, Undelivered, Webhooks
from assay.alerts.records import Alert, Message
from assay.moments import moment
from functions.alerts.mails import Writer

TYPE = "alert.raised"
"""Of what webhooks are told."""


class Channel(Protocol):
    """A way to people or programs."""

    async def send(self, message: Message, alerts: Sequence[Alert], count: int) -> Mapping[str, Undelivered]:
        """One attempt; the recipients it did not reach. `alerts`: the first of the `count` that it is about.

        Raises `Undelivered` when it reached none of them.
        """
        ...


class Mails:
    """Mails, written and handed over."""

    def __init__(self, writer: Writer, mailer: Mailer) -> None:
        self._writer = writer
        self._mailer = mailer

    async def send(self, message: Message, alerts: Sequence[Alert], count: int) -> Mapping[str, Undelivered]:
        """See `Channel`."""
        return await self._mailer.send(self._writer.write(message, alerts, count), message.recipients)


class WebhookCalls:
    """Calls of the webhook that a message names."""

    def __init__(self, writer: Writer, webhooks: Webhooks) -> None:
        self._writer = writer
        self._webhooks = webhooks

    async def send(self, message: Message, alerts: Sequence[Alert], _count: int) -> Mapping[str, Undelivered]:
        """See `Channel`."""
        alert = alerts[0]
        await self._webhooks.send(message.channel, message.id, call(alert, self._writer.link(alert)))
        return {}


def call(alert: Alert, link: str | None) -> bytes:
    """The body, as Standard Webhooks has it: `type`, `timestamp`, `data`."""
    known = Details.model_validate_json(alert.details).model_dump(mode="json", exclude_defaults=True)
    data = {
        "alert_id": alert.id,
        "route": alert.route,
        "event": alert.kind,
        "client_id": alert.client_id,
        "transaction_id": alert.transaction_id,
        "decision": alert.decision,
        **known,
        **({"link": link} if link else {}),
    }
    return to_json({"type": TYPE, "timestamp": moment(alert.created_at), "data": data})
