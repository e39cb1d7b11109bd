"""The scored events of the embedded installation's file, by day."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from assay.adapters.sqlite.schema import open_reader
from assay.errors import StorageError
from assay.features.windows import DAY
from assay.intelligence.scored_days import AT_ONCE, LATE, Day
from assay.moments import microseconds, moment

DAYS = f"""
SELECT decided_at / {DAY} AS day, count(*), max(rowid), sum(decided_at % {DAY})
FROM scored_events WHERE decided_at >= ? GROUP BY day ORDER BY day
"""  # noqa: S608 - numbers of our own
BODIES = "SELECT body FROM scored_events WHERE decided_at >= ? AND decided_at < ? AND rowid <= ? ORDER BY rowid"
LAST = "SELECT body FROM scored_events ORDER BY decided_at DESC LIMIT 1000"
"""Events may be decided in another order than they happened."""


class SqliteScoredDays:
    """A day is its rows: none is changed or removed, and a new one has a higher number than all before."""

    def __init__(self, database: Path) -> None:
        self._database = database

    async def days(self, since: datetime | None = None) -> list[Day]:
        """See `ScoredDays`."""
        first = 0 if since is None else microseconds(since.astimezone(UTC) - LATE) // DAY
        with self._reader() as reader:
            return [self._day(*row) for row in reader.execute(DAYS, [first * DAY])]

    def last(self) -> list[bytes]:
        """The events that were decided last, as they came. Raises `StorageError`."""
        with self._reader() as reader:
            return [body for (body,) in reader.execute(LAST)]

    def _day(self, day: int, count: int, newest: int, moments: int) -> Day:
        batches = partial(self._batches, day * DAY, (day + 1) * DAY, newest)
        return Day(moment(day * DAY).date().isoformat(), f"{count} {newest} {moments}", batches)

    async def _batches(self, start: int, end: int, newest: int) -> AsyncIterator[list[bytes]]:
        with self._reader() as reader:
            rows = reader.execute(BODIES, [start, end, newest])
            while found := [body for (body,) in rows.fetchmany(AT_ONCE)]:
                yield found

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if not self._database.is_file():
            raise StorageError(f"{self._database}: there is no such file")
        try:
            with closing(open_reader(self._database)) as reader:
                yield reader
        except sqlite3.Error as error:
            raise StorageError(f"{self._database.name}: {error}") from error
