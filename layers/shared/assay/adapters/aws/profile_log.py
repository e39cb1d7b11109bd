"""Reads the logs of the profile table, and remembers what it has read: a warm process reads only what is new."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from assay.adapters.aws.clients import storage_errors
from assay.adapters.aws.profile_items import (
    AHEAD,
    END,
    LOG,
    RESERVATION,
    Item,
    Row,
    arrival_of,
    event_of,
    log_from,
    partition,
    read,
)
from assay.features.history import Kind
from assay.features.loading import REACH
from assay.features.windows import SECOND
from assay.moments import now

MAX_ROWS = 10_000
"""Of one entity. What is older is unknown: a device that all the world uses must not slow everybody down."""
REMEMBERED = 200_000
"""Entries and entities in memory."""
PAGE = 500
OVERLAP = 10 * SECOND
"""What arrived so long before the newest is read again: an entry lands after its arrival, and clocks differ."""


@dataclass(slots=True)
class Log:
    """What is known of one entity: by sk, every entry that arrived after `since`, and the first uses or sights."""

    rows: dict[str, Row] = field(default_factory=dict)
    since: int = sys.maxsize
    """0 once all of it was read."""
    cursor: int = 0
    """What arrived before was read for good."""
    firsts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Read:
    rows: dict[str, Row] = field(default_factory=dict)
    reservations: list[tuple[str, int, Row]] = field(default_factory=list)
    """(event, counts until, its row)"""
    reached: int | None = None
    """Arrival of the oldest entry, if there are older ones in the range that were not read."""


class ProfileLog:
    """The table as one process sees it. Entries never change, so what was read once need not be read again.

    Every method raises `StorageError`. Belongs to one event loop.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - made at run time
        table: str,
        clock: Callable[[], int] = now,
        max_rows: int = MAX_ROWS,
    ) -> None:
        """`client`: of "dynamodb". `clock` gives microseconds since the epoch."""
        self.client = client
        self.table = table
        self.clock = clock
        self._max_rows = max_rows
        self._logs: OrderedDict[str, Log] = OrderedDict()
        self._remembered = 0

    async def read(self, kind: Kind, name: str, t: int) -> tuple[Log, dict[str, Row]]:
        """All that is known of the entity now, far enough back for an event at `t`; and by event, what is under way."""
        pk, started = partition(kind, name), self.clock()
        log = self._log(pk)
        enough = min(t, started) - REACH[kind] - AHEAD
        new = log.since > enough and len(log.rows) < self._max_rows
        found = await self._newest(pk, 0 if new else log.cursor, enough)
        self._merge(pk, log, found, new)
        newest = max((arrival_of(sk) for sk in found.rows), default=log.cursor + OVERLAP)
        log.cursor = max(log.cursor, min(newest, started) - OVERLAP)
        return log, {event: row for event, until, row in found.reservations if until > started}

    async def first(self, pk: str, beginning: str, t: int) -> int | None:
        """The lowest time under this beginning; or any not after `t` that is remembered: it answers as much."""
        log = self._log(pk)
        known = log.firsts.get(beginning)
        if known is not None and known <= t:
            return known
        with storage_errors("profile"):
            page = await self.client.query(
                TableName=self.table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :beginning)",
                ExpressionAttributeValues={":pk": {"S": pk}, ":beginning": {"S": beginning}},
                ConsistentRead=True,
                Limit=1,
            )
        for item in page["Items"]:
            self.remember_first(pk, beginning, int(item["sk"]["S"][len(beginning) :]))
        return log.firsts.get(beginning)

    def knows_first(self, pk: str, beginning: str, t: int) -> bool:
        """Whether one not after `t` is remembered."""
        log = self._logs.get(pk)
        return log is not None and log.firsts.get(beginning, sys.maxsize) <= t

    def remember_first(self, pk: str, beginning: str, t: int) -> None:
        """There is one at `t`, and durably so."""
        log = self._log(pk)
        log.firsts[beginning] = min(t, log.firsts.get(beginning, t))

    async def _newest(self, pk: str, after: int, enough: int) -> _Read:
        """From the newest back to what arrived at `after`, or to `enough`, or until there are as many as may be."""
        found = _Read()
        start: dict[str, Any] = {}
        low, high = log_from(after), END
        values = {":pk": {"S": pk}, ":low": {"S": low}, ":high": {"S": high}}
        while True:
            with storage_errors("profile"):
                page = await self.client.query(
                    TableName=self.table,
                    KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
                    ExpressionAttributeValues=values,
                    ConsistentRead=True,
                    ScanIndexForward=False,
                    Limit=min(PAGE, self._max_rows),
                    **start,
                )
            for item in page["Items"]:
                _sort(item, found)
            if "LastEvaluatedKey" not in page:
                return found
            oldest = page["LastEvaluatedKey"]["sk"]["S"]
            if oldest.startswith(LOG) and (len(found.rows) >= self._max_rows or arrival_of(oldest) <= enough):
                found.reached = arrival_of(oldest)
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _merge(self, pk: str, log: Log, found: _Read, new: bool) -> None:
        # Others may have read the same log meanwhile: nothing they have found is taken away.
        before = len(log.rows)
        log.rows.update(found.rows)
        if new:
            log.since = min(log.since, found.reached or 0)
        elif found.reached is not None:
            log.since = max(log.since, found.reached)
        if len(log.rows) > self._max_rows:
            kept = sorted(log.rows)[-self._max_rows :]
            log.rows = {sk: log.rows[sk] for sk in kept}
            log.since = max(log.since, arrival_of(kept[0]))
        if self._logs.get(pk) is log:
            self._remembered += len(log.rows) - before
        while self._remembered + len(self._logs) > REMEMBERED and self._logs:
            _, forgotten = self._logs.popitem(last=False)
            self._remembered -= len(forgotten.rows)

    def _log(self, pk: str) -> Log:
        log = self._logs.setdefault(pk, Log())
        self._logs.move_to_end(pk)
        return log


def _sort(item: Item, found: _Read) -> None:
    sk = item["sk"]["S"]
    if sk.startswith(RESERVATION):
        found.reservations.append((event_of(sk), int(item["pending_until"]["N"]), read(item)))
    else:
        found.rows[sk] = read(item)
