"""The items of the table of events for clients: what is where, and what is in it.

    pk  H#<client>            sk H                   `given`: the number of the last entry of the client's feed
    pk  F#<client>            sk <number>            an entry of the feed
    pk  E#<client>#<event>    sk E                   this event is in the feed
    pk  WEBHOOKS              sk <client>#<webhook>  a webhook, as JSON in `written`, and how it is doing
    pk  COUNTS                sk <client>            `webhooks`: how many the client has
    pk  P#<webhook>           sk <due>#<event>       a pending delivery
    pk  DEAD                  sk <webhook>#<event>   a delivery that was given up

Numbers and moments in keys are padded with zeros, moments in microseconds. Webhooks are few: one partition lists them.
"""

from __future__ import annotations

from assay.adapters.aws.profile_items import Item, key, stamp
from assay.adapters.aws.table import attributes, expiry, values
from assay.client_events.records import (
    KEPT,
    Delivery,
    DeliveryState,
    Entry,
    Health,
    Webhook,
    webhook_from_json,
    webhook_to_json,
)

WEBHOOKS, DEAD = "WEBHOOKS", "DEAD"


def head_key(client_id: str) -> Item:
    """The key of what counts the client's entries."""
    return key(f"H#{client_id}", "H")


def feed(client_id: str) -> str:
    """The pk of the client's feed."""
    return f"F#{client_id}"


def known_key(client_id: str, event_id: str) -> Item:
    """The key of what says that the event is in the feed."""
    return key(f"E#{client_id}#{event_id}", "E")


def entry_items(entry: Entry) -> list[Item]:
    """An entry, and what says that it is there."""
    until = expiry(entry.at + KEPT)
    place = key(feed(entry.client_id), stamp(entry.sequence))
    return [{**place, **attributes(entry), **until}, {**known_key(entry.client_id, entry.event_id), **until}]


def read_entry(item: Item) -> Entry:
    """The entry in its item."""
    return Entry(**values(Entry, item))


def webhook_key(client_id: str, webhook_id: str) -> Item:
    """A webhook's key."""
    return key(WEBHOOKS, f"{client_id}#{webhook_id}")


def webhook_item(webhook: Webhook) -> Item:
    """A new webhook."""
    written: Item = {"written": {"S": webhook_to_json(webhook)}, "version": {"N": str(webhook.version)}}
    return {**webhook_key(webhook.client_id, webhook.id), **written}


def read_webhook(item: Item) -> tuple[Webhook, Health]:
    """The webhook in its item, and how it is doing."""
    health = {name: value for name, value in values(Health, item).items() if value is not None}
    return webhook_from_json(item["written"]["S"]), Health(**health)


def count_key(client_id: str) -> Item:
    """The key of what counts the client's webhooks."""
    return key("COUNTS", client_id)


def pending(webhook_id: str) -> str:
    """The pk of a webhook's pending deliveries."""
    return f"P#{webhook_id}"


def delivery_key(delivery: Delivery) -> Item:
    """Where a delivery is, as its state is."""
    if delivery.state is DeliveryState.DEAD:
        return key(DEAD, f"{delivery.webhook_id}#{delivery.event_id}")
    return key(pending(delivery.webhook_id), f"{stamp(delivery.due_at)}#{delivery.event_id}")


def delivery_item(delivery: Delivery) -> Item:
    """A delivery."""
    return {**delivery_key(delivery), **attributes(delivery), **expiry(delivery.created_at + KEPT)}


def read_delivery(item: Item) -> Delivery:
    """The delivery in its item."""
    known = values(Delivery, item)
    return Delivery(**{**known, "state": DeliveryState(known["state"])})
