"""Attempts in DynamoDB, counted by key and window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from assay.adapters.aws.clients import code_of, storage_errors
from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.table import Table, expiry
from assay.features.windows import SECOND
from assay.moments import now


class DynamoAttemptStore:
    """Every method raises `StorageError`."""

    def __init__(self, table: Table, clock: Callable[[], int] = now) -> None:
        """`clock` gives microseconds since the epoch."""
        self._table = table
        self._clock = clock

    async def count(self, key: str, window_s: int) -> int:
        """Counts one more; how many there are in the window under way. It may count twice where an answer was lost."""
        counter, end = self._window(key, window_s)
        values = {":one": {"N": "1"}, ":until": expiry(end)["expires_at"]}
        with storage_errors("attempts"):
            answer = await self._update(counter, "ADD attempts :one SET expires_at = :until", values)
        return int(answer["Attributes"]["attempts"]["N"])

    async def take_back(self, key: str, window_s: int) -> None:
        """Undoes one `count`. Does nothing where the window has none: another may have begun."""
        counter, _ = self._window(key, window_s)
        values = {":less": {"N": "-1"}, ":none": {"N": "0"}}
        with storage_errors("attempts"):
            try:
                await self._update(counter, "ADD attempts :less", values, ConditionExpression="attempts > :none")
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise

    async def remember(self, key: str, for_s: int) -> None:
        """Remembers the key for so long from now."""
        until = self._clock() + for_s * SECOND
        item = {**_remembered(key), "until": {"N": str(until)}, **expiry(until)}
        with storage_errors("attempts"):
            await self._table.client.put_item(TableName=self._table.name, Item=item)

    async def remembers(self, key: str) -> bool:
        """Whether it does still."""
        item = await self._table.get(_remembered(key))
        return item is not None and int(item["until"]["N"]) > self._clock()

    async def _update(self, place: Item, change: str, values: Item, **condition: str) -> Any:  # noqa: ANN401 - an answer
        return await self._table.client.update_item(
            TableName=self._table.name,
            Key=place,
            UpdateExpression=change,
            ExpressionAttributeValues=values,
            ReturnValues="UPDATED_NEW",
            **condition,
        )

    def _window(self, name: str, window_s: int) -> tuple[Item, int]:
        """The window's counter, and when the window ends."""
        number = self._clock() // (window_s * SECOND)
        return key(f"ATTEMPTS#{name}#{window_s}#{number}", "A"), (number + 1) * window_s * SECOND


def _remembered(name: str) -> Item:
    return key(f"REMEMBERED#{name}", "R")
