"""The items of the alerts table: what is where, and what is in it.

    pk  A#<alert>      sk A                    an alert
    pk  LIST           sk <created>#<alert>    an alert in the list of all, with what it can be asked for by
    pk  M#<message>    sk #                    a message; `alerts`: how many it is about
    pk  M#<message>    sk <created>#<alert>    an alert that it is about
    pk  P#<channel>    sk <due>#<message>      a pending message, where claims find it
    pk  DEAD           sk <message>            a message that was given up
    pk  W#<route>      sk W                    the route's window

Alerts are few among decisions: one partition lists them. Moments are in microseconds, padded with zeros in keys.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from assay.adapters.aws.profile_items import Item, key, stamp
from assay.alerts.records import Alert, Message, State
from assay.alerts.windows import Window
from assay.features.windows import DAY, SECOND

KEPT = 90 * DAY
"""How long alerts and messages are kept after they were made. The audit log keeps the decisions."""
WINDOW_KEPT = 2 * DAY
"""After a window's end: the next one is told by it whether the storm goes on."""
LIST, DEAD = "LIST", "DEAD"


def alert_key(alert_id: str) -> Item:
    """An alert's key."""
    return key(f"A#{alert_id}", "A")


def message_key(message_id: str) -> Item:
    """A message's key."""
    return key(_message(message_id), "#")


def window_key(route: str) -> Item:
    """The key of a route's window."""
    return key(f"W#{route}", "W")


def pointer(message: Message) -> Item | None:
    """The key of what finds the message as its state is; None when nobody looks for it any more."""
    if message.state is State.PENDING:
        return key(pending(message.channel), f"{stamp(message.due_at)}#{message.id}")
    return key(DEAD, message.id) if message.state is State.DEAD else None


def pointer_item(message: Message) -> Item:
    """What finds the message, which somebody looks for."""
    return {**(pointer(message) or {}), **expiry(message.created_at)}


def pending(channel: str) -> str:
    """The pk of a channel's pending messages."""
    return f"P#{channel}"


def place(created_at: int, alert_id: str) -> str:
    """The sk that orders alerts as they were made."""
    return f"{stamp(created_at)}#{alert_id}"


def named(item: Item) -> str:
    """The id at the end of a sk."""
    return str(item["sk"]["S"]).rpartition("#")[2]


def alert_items(alert: Alert, messages: Sequence[Message]) -> list[Item]:
    """The alert, its entry in the list, and one for each message that is about it."""
    until, sk = expiry(alert.created_at), place(alert.created_at, alert.id)
    asked_by = {"route": {"S": alert.route}}
    if alert.transaction_id is not None:  # others are nothing that the client may ask for
        asked_by["client_id"] = {"S": alert.client_id}
    ids = {"messages": {"L": [{"S": message.id} for message in messages]}}
    return [
        {**alert_key(alert.id), **written(alert), **until},
        {**key(LIST, sk), **asked_by, **ids, **until},
        *({**key(_message(message.id), sk), **until} for message in messages),
    ]


def message_item(message: Message, alerts: int) -> Item:
    """A message about so many alerts."""
    return {
        **message_key(message.id),
        **written(message),
        "alerts": {"N": str(alerts)},
        **expiry(message.created_at),
    }


def window_item(route: str, window: Window) -> Item:
    """A route's window."""
    return {**window_key(route), "window": {"S": spelled(window)}, **expiry(window.end, WINDOW_KEPT)}


def spelled(window: Window) -> str:
    """A window in one attribute, so that one comparison tells whether it moved."""
    return json.dumps(asdict(window))


def window_of(item: Item) -> Window:
    """The window in its item."""
    return Window(**json.loads(item["window"]["S"]))


def expiry(moment: int, kept: int = KEPT) -> Item:
    """Lets DynamoDB delete the item some time after it was kept so long."""
    return {"expires_at": {"N": str((moment + kept) // SECOND + 1)}}


def written(record: Alert | Message) -> Item:
    """A record's fields as the wire has them; None is left out."""
    values = ((field.name, getattr(record, field.name)) for field in fields(record))
    return {name: attribute(value) for name, value in values if value is not None}


def read_alert(item: Item) -> Alert:
    """The alert in its item."""
    return Alert(**_values(Alert, item))


def read_message(item: Item) -> Message:
    """The message in its item."""
    values = _values(Message, item)
    return Message(**{**values, "state": State(values["state"])})


def attribute(value: bool | int | str | tuple[str, ...]) -> dict[str, Any]:
    """A value as the wire has it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, tuple):
        return {"L": [{"S": word} for word in value]}
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def _values(kind: type[Alert | Message], item: Item) -> dict[str, Any]:
    return {field.name: _value(item[field.name]) if field.name in item else None for field in fields(kind)}


def _value(wire: dict[str, Any]) -> Any:  # noqa: ANN401 - a record's fields
    ((kind, value),) = wire.items()
    if kind == "L":
        return tuple(word["S"] for word in value)
    return int(value) if kind == "N" else value


def _message(message_id: str) -> str:
    return f"M#{message_id}"
