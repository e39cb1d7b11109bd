"""What events for clients need from outside, as Protocols. Every method raises `StorageError`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay.client_events.records import Delivery, Entry, Health, News, Webhook
from assay.schemas.event import Event


class FeedStore(Protocol):
    """The feeds of clients."""

    async def record(self, news: Sequence[News], now: int) -> int:
        """Keeps what is not known by its client and event id, with a delivery to each of the client's webhooks that
        gets it, all of an event or nothing of it; how many were new. In the order given, after all that is there.
        """
        ...

    async def page(self, client_id: str, after: int, limit: int) -> list[Entry]:
        """The client's entries with higher numbers, lowest first."""
        ...


class WebhookStore(Protocol):
    """Webhooks of clients."""

    async def add(self, webhook: Webhook, event: Event, most: int) -> bool:
        """False when the client has that many."""
        ...

    async def get(self, client_id: str, webhook_id: str) -> Webhook | None:
        """The client's webhook with this id."""
        ...

    async def of_client(self, client_id: str) -> list[tuple[Webhook, Health]]:
        """All of the client's, by id."""
        ...

    async def change(self, webhook: Webhook, event: Event) -> bool:
        """Puts it in the place of its version before. False when it was changed or removed meanwhile."""
        ...

    async def remove(self, webhook: Webhook, event: Event) -> bool:
        """With what is to be delivered to it. False when there is none."""
        ...


class DeliveryStore(Protocol):
    """Deliveries to webhooks."""

    async def due(self, now: int) -> list[tuple[Webhook, Health]]:
        """The active webhooks that something is due for."""
        ...

    async def claim(self, webhook_id: str, now: int, until: int, limit: int) -> list[Delivery]:
        """Its pending deliveries that are due, oldest first. Each is nobody else's until `until`.

        A claim counts an attempt and makes the delivery due again at `until`, should this process die.
        """
        ...

    async def settle(self, webhook: Webhook, claimed: Delivery, after: Delivery | None, now: int) -> None:
        """Keeps what became of a claimed delivery (None: it was delivered), unless it was claimed again meanwhile,
        and what that says of the webhook's health.
        """
        ...

    async def redrive(self, now: int) -> int:
        """Makes dead deliveries to active webhooks pending and due, with no attempts; how many."""
        ...
