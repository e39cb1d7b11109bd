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
    for _, of_day in groupby(await archive.keys(PREFIX, first), key=lambda key: key.removeprefix(PREFIX).split("/")[0]):
        keys = list(of_day)
        yield [line for at in range(0, len(keys), AT_ONCE) for line in await _lines(archive, keys[at : at + AT_ONCE])]


async def _lines(archive: Archive, keys: Sequence[str]) -> list[bytes]:
    bodies = await asyncio.gather(*map(archive.get, keys))
    return [line for key, body in zip(keys, bodies, strict=True) for line in lines_of(key, body)]
