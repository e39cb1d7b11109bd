"""The archive of scored events as batches of bodies, by day: what `scored_table` decodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from assay.ports import Archive
from assay.scored_event_archive import PREFIX, lines_of

AT_ONCE = 16
"""Objects that are fetched together."""
LATE = timedelta(days=1)
"""A decision may come so long before the moment its event gives: clocks differ."""


async def days(archive: Archive, since: datetime | None) -> AsyncIterator[list[bytes]]:
    """The events of each day that may hold some from `since` on, as they came: one may be there twice.

    Equal events are on the same day. Raises `StorageError`, for an unreadable object too.
    """
    first = "" if since is None else f"{PREFIX}dt={since - LATE:%Y-%m-%d}"
    for _, keys in groupby(await archive.keys(PREFIX, first), key=_day):
        yield await _lines(archive, list(keys))


async def last_day(archive: Archive) -> list[bytes]:
    """The events of the last day that has some. Raises `StorageError`."""
    keys = await archive.keys(PREFIX)
    return await _lines(archive, [key for key in keys if _day(key) == _day(keys[-1])])


def _day(key: str) -> str:
    return key.removeprefix(PREFIX).partition("/")[0]


async def _lines(archive: Archive, keys: Sequence[str]) -> list[bytes]:
    found: list[bytes] = []
    for start in range(0, len(keys), AT_ONCE):
        part = keys[start : start + AT_ONCE]
        bodies = await asyncio.gather(*map(archive.get, part))
        found += [line for key, body in zip(part, bodies, strict=True) for line in lines_of(key, body)]
    return found
