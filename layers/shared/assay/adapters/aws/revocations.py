"""Revoked sessions in DynamoDB: one short list, read by every function that checks tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from assay.adapters.aws.clients import storage_errors
from assay.adapters.aws.profile_items import key
from assay.identity.signing import LONGEST_LIFE_S

PARTITION = "REVOKED"
FRESH_S = 2.0
"""How old the list may be: a revoked token is accepted for no longer."""


class DynamoRevocations:
    """pk REVOKED, sk <session>, expires_at once the session's longest token has expired."""

    def __init__(self, client: Any, table: str, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401
        """`client`: of "dynamodb"."""
        self._client = client
        self._table = table
        self._clock = clock
        self._sessions: frozenset[str] = frozenset()
        self._read_at = -FRESH_S
        self._reading = asyncio.Lock()

    async def is_revoked(self, session: str) -> bool:
        """From a list that is at most `FRESH_S` old."""
        async with self._reading:
            if self._clock() - self._read_at >= FRESH_S:
                asked_at = self._clock()
                self._sessions = await self._read()
                self._read_at = asked_at
        return session in self._sessions

    def puts(self, sessions: Sequence[str]) -> list[dict[str, Any]]:
        """What makes their tokens void, to be written together with what this belongs to."""
        until = {"N": str(int(time.time()) + LONGEST_LIFE_S)}
        return [
            {"Put": {"TableName": self._table, "Item": {**key(PARTITION, session), "expires_at": until}}}
            for session in sessions
        ]

    async def _read(self) -> frozenset[str]:
        found: list[str] = []
        start: dict[str, Any] = {}
        while True:
            with storage_errors("revocations"):
                page = await self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues={":pk": {"S": PARTITION}},
                    ProjectionExpression="sk",
                    ConsistentRead=True,
                    **start,
                )
            found += [item["sk"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return frozenset(found)
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
