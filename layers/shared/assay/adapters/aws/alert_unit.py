"""What recording some alerts writes: one transaction, on the condition that nobody came between reading and writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from assay.adapters.aws.alert_items import (
    alert_items,
    message_item,
    message_key,
    pointer_item,
    spelled,
    window_item,
)
from assay.adapters.aws.profile_items import Item
from assay.alerts.records import Message, NewAlert, digest_id, plan
from assay.alerts.windows import Window

MAX_ITEMS = 100
"""Of one transaction: DynamoDB's limit."""
ABSENT = "attribute_not_exists(pk)"

Write = dict[str, Any]


def portions(alerts: Iterable[NewAlert]) -> Iterator[list[NewAlert]]:
    """The alerts, as many at a time as one transaction can hold."""
    portion: list[NewAlert] = []
    size = 0
    for new in alerts:
        needed = _most_items(new)
        if portion and size + needed > MAX_ITEMS:
            yield portion
            portion, size = [], 0
        portion.append(new)
        size += needed
    if portion:
        yield portion


def _most_items(new: NewAlert) -> int:
    """The alert, its entry in the list, the window; of each message itself, its pointer and its link to the alert."""
    return 3 + 3 * (1 + len(new.webhooks))


class Unit:
    """New alerts, planned one after the other, beginning with what the table held."""

    def __init__(self, table: str, windows: Mapping[str, Window], digests: Mapping[str, Message]) -> None:
        """`windows`: by route. `digests`: those that are there of these windows, by their id."""
        self._table = table
        self._before = windows
        self._windows = dict(windows)
        self._digests = digests
        self._joining: dict[str, tuple[Message, int]] = {}
        self._items: list[Item] = []

    def add(self, new: NewAlert) -> None:
        """Plans another alert."""
        route = new.alert.route
        window = self._windows.get(route)
        made = plan(new, window, is_claimed=window is not None and self._is_claimed(digest_id(route, window)))
        if made.window is not None:
            self._windows[route] = made.window
        self._items += alert_items(new.alert, made.messages)
        for message in made.messages:
            if message.is_digest:
                first, count = self._joining.get(message.id, (message, 0))
                self._joining[message.id] = first, count + 1
            else:
                self._items += _message(message, 1)

    def writes(self) -> list[Write]:
        """The transaction's items."""
        joined = {id_: count for id_, (_, count) in self._joining.items() if id_ in self._digests}
        made = [item for id_, begun in self._joining.items() if id_ not in joined for item in _message(*begun)]
        return [
            *(self._put(item, ABSENT) for item in (*self._items, *made)),
            *(self._join(id_, count) for id_, count in joined.items()),
            *(self._move(route, window) for route, window in self._windows.items()),
        ]

    def _is_claimed(self, id_: str) -> bool:
        """Whether somebody has begun to send the digest."""
        digest = self._digests.get(id_)
        return digest is not None and digest.attempts > 0

    def _put(self, item: Item, condition: str, **more: Any) -> Write:  # noqa: ANN401 - a Put's other fields
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": condition, **more}}

    def _join(self, digest: str, count: int) -> Write:
        change = {
            "TableName": self._table,
            "Key": message_key(digest),
            "UpdateExpression": "ADD alerts :joining",
            "ConditionExpression": "attempts = :none",
            "ExpressionAttributeValues": {":joining": {"N": str(count)}, ":none": {"N": "0"}},
        }
        return {"Update": change}

    def _move(self, route: str, window: Window) -> Write:
        before = self._before.get(route)
        if before is None:
            return self._put(window_item(route, window), ABSENT)
        names = {"#window": "window"}
        values = {":before": {"S": spelled(before)}}
        condition = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        return self._put(window_item(route, window), "#window = :before", **condition)


def _message(message: Message, alerts: int) -> list[Item]:
    return [message_item(message, alerts), pointer_item(message)]
