"""What was scored, day by day: out of the days' tables, and of the events themselves where there is no table."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import polars as pl

from assay.intelligence.archived import ArchivedDays
from assay.intelligence.day_tables import DayTables
from assay.intelligence.scored_days import Day, ScoredDays
from assay.intelligence.scored_table import COLUMNS, IDENTITY, decode, empty
from assay.ports import Archive

AHEAD = 2
"""Days that are read while another is worked on: polars leaves the interpreter to others."""


class ScoredHistory:
    """Reads each day but the last by its table, and makes that where it is missing: events come to the last one still.

    Memory: some days at once.
    """

    def __init__(self, days: ScoredDays, tables: DayTables) -> None:
        self._days, self._tables = days, tables

    async def frames(
        self, since: datetime | None = None, until: datetime | None = None, columns: Sequence[str] = COLUMNS
    ) -> AsyncIterator[pl.DataFrame]:
        """The events with `since <= occurred_at < until`, each once; ordered neither within nor among the frames.

        Raises `StorageError`, for an unreadable object too.
        """
        inside = _within(since, until)
        async with aclosing(self.by_decision(since, (*columns, "occurred_at"))) as frames:
            async for frame in frames:
                yield frame.filter(*inside).select(list(dict.fromkeys(columns)))

    async def decided_by(self, release_hash: str, since: datetime, columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
        """What this release decided at `since` or later, whenever it happened, in the order of that moment.

        Raises `StorageError`.
        """
        asked = list(dict.fromkeys((*columns, *IDENTITY, "occurred_at", "decided_at", "release_hash")))
        these = (pl.col("release_hash") == release_hash) & (pl.col("decided_at") >= since.astimezone(UTC))
        async with aclosing(self.by_decision(since, asked)) as frames:
            found = [frame.filter(these, pl.col("occurred_at").is_not_null()) async for frame in frames]
        return pl.concat([empty(asked), *found]).sort("occurred_at", maintain_order=True).select(columns)

    async def by_decision(
        self, since: datetime | None = None, columns: Sequence[str] = COLUMNS
    ) -> AsyncGenerator[pl.DataFrame, None]:
        """A frame per day on which events were decided that may have happened, or been decided, at `since` or later."""
        asked = list(dict.fromkeys([*columns, *IDENTITY]))
        days = await self._days.days(since)
        tables = await self._tables.of(days, complete=since is None)
        waiting: deque[asyncio.Task[pl.DataFrame]] = deque()
        try:
            for day in days:
                work = decoded(day, asked) if day is days[-1] else self._day(day, tables.get(day.name, []), asked)
                waiting.append(asyncio.create_task(work))
                if len(waiting) > AHEAD:
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        finally:
            for task in waiting:
                task.cancel()

    async def _day(self, day: Day, keys: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
        for key in keys:
            table = await self._tables.read(key, columns)
            if table is not None:
                return table
        if not self._tables.is_kept:
            return await decoded(day, columns)
        whole = await decoded(day, COLUMNS)
        await self._tables.keep(day, len(keys), whole)
        return whole.select(columns)


def archived_history(archive: Archive) -> ScoredHistory:
    """Of an archive of scored events, with the tables beside them."""
    return ScoredHistory(ArchivedDays(archive), DayTables(archive))


async def decoded(day: Day, columns: Sequence[str]) -> pl.DataFrame:
    """The day's events, each once, the first of equal ones. `columns`: those of `IDENTITY` among them."""
    parts = [await asyncio.to_thread(decode, bodies, columns) async for bodies in day.batches() if bodies]
    return pl.concat([empty(columns), *parts]).unique(IDENTITY, keep="first", maintain_order=True)


def _within(since: datetime | None, until: datetime | None) -> list[pl.Expr]:
    moment = pl.col("occurred_at")
    bounds = [moment.is_not_null()]
    if since is not None:
        bounds.append(moment >= since.astimezone(UTC))
    if until is not None:
        bounds.append(moment < until.astimezone(UTC))
    return bounds
