"""Calls of webhooks: where they go and what they are signed with. Here alone is an HTTP client needed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.alerts.config import AlertsConfig, AlertsError
from assay.alerts.ports import Undelivered
from assay.webhooks.sender import Delivery, Message, WebhookSender
from assay.webhooks.signing import Secret

MAX_SECRET_FILE = 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook that can be called."""

    url: str
    secrets: tuple[Secret, ...]


class Calls:
    """`assay.alerts.ports.Webhooks` over the sender of signed messages."""

    def __init__(self, endpoints: Mapping[str, Endpoint], sender: WebhookSender) -> None:
        self._endpoints = endpoints
        self._sender = sender

    async def send(self, webhook: str, message_id: str, body: bytes) -> None:
        """One attempt. Raises `Undelivered`."""
        endpoint = self._endpoints[webhook]
        outcome = await self._sender.send(endpoint.url, Message(message_id, body), endpoint.secrets)
        if outcome.delivery is not Delivery.DELIVERED:
            is_permanent = outcome.delivery is not Delivery.RETRY
            raise Undelivered(outcome.reason, is_permanent=is_permanent, wait_s=outcome.retry_after_s or 0.0)


def endpoints(config: AlertsConfig, environment: Mapping[str, str] = os.environ) -> dict[str, Endpoint]:
    """The webhooks with their secrets. `environment` has those of Secrets Manager too, by their ARNs.

    Raises `AlertsError`, naming the key, and what it names that is not there.
    """
    return {
        name: Endpoint(webhook.url, _secrets(name, webhook.secrets, environment))
        for name, webhook in config.webhooks.items()
    }


def _secrets(name: str, places: Sequence[str], environment: Mapping[str, str]) -> tuple[Secret, ...]:
    found = []
    for position, place in enumerate(places):
        try:
            found.append(Secret.parse(_read(place, environment).strip()))
        except (KeyError, OSError, ValueError) as error:
            problem = "is not there" if isinstance(error, (KeyError, OSError)) else str(error)
            raise AlertsError(f"webhooks.{name}.secrets[{position}]: {place}: {problem}") from None
    return tuple(found)


def _read(place: str, environment: Mapping[str, str]) -> str:
    kind, _, name = place.partition(":")
    if kind != "file":
        return environment[name]
    with Path(name).open("rb") as file:
        return file.read(MAX_SECRET_FILE).decode()
