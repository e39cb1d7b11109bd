"""The archive of scored events, by day."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

from assay.intelligence.scored_days import AT_ONCE, LATE, Day
from assay.ports import Archive
from assay.scored_event_archive import PREFIX, lines_of

OBJECTS_AT_ONCE = 16
"""That are fetched together."""
DAY = f"{PREFIX}dt="


class ArchivedDays:
    """A day is its objects: they never change, so their keys tell what it holds."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def days(self, since: datetime | None = None) -> list[Day]:
        """See `ScoredDays`."""
        first = "" if since is None else f"{DAY}{since.astimezone(UTC) - LATE:%Y-%m-%d}"
        found = groupby(await self._archive.keys(DAY, first), key=_day)
        return [self._day(name, list(keys)) for name, keys in found]

    def _day(self, name: str, keys: list[str]) -> Day:
        content = hashlib.sha256("\n".join(keys).encode()).hexdigest()
        return Day(name, content, partial(self._batches, keys))

    async def _batches(self, keys: Sequence[str]) -> AsyncIterator[list[bytes]]:
        found: list[bytes] = []
        for start in range(0, len(keys), OBJECTS_AT_ONCE):
            part = keys[start : start + OBJECTS_AT_ONCE]
            bodies = await asyncio.gather(*map(self._archive.get, part))
            found += [line for key, body in zip(part, bodies, strict=True) for line in lines_of(key, body)]
            if len(found) >= AT_ONCE:
                yield found
                found = []
        yield found


def _day(key: str) -> str:
    return key.removeprefix(DAY).partition("/")[0]
