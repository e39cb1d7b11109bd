"""Tables of scored events, a Parquet file per day: reading the events themselves costs ten times as much.

Each can be made again of its day's events at any time. It is used only while the day holds what it was made of.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

import polars as pl

from assay.errors import StorageError
from assay.intelligence.scored_days import Day
from assay.intelligence.scored_table import SHAPE, empty
from assay.ports import Archive

log = logging.getLogger(__name__)
PREFIX = "tables/dt="
VERSION = "1"
"""Of what is made of an event besides its columns: raise it when `decode` finds other values than before."""

Discard = Callable[[str], Awaitable[None]]


class DayTables:
    """`tables/dt=<day>/<what it was made of>-<attempt>-<sha256 of the file>.parquet`, beside the events.

    Nothing about them is an error: without one there are the events. Attempts count from 0: files are written once, so
    a damaged one stays, and another is made beside it.
    """

    def __init__(self, files: Archive, discard: Discard | None = None) -> None:
        """`discard`: removes the file of a key; None when files expire by themselves."""
        self._files, self._discard = files, discard
        self.is_kept = True
        """False once a file could not be written: then there is no use in making another."""

    async def of(self, days: Sequence[Day], *, complete: bool) -> dict[str, list[str]]:
        """Day's name -> keys of the tables of what it holds. Other files of these days go; when `complete`, which
        says that there are no other days, those of other days, too."""
        current = {f"{PREFIX}{day.name}/{_made_of(day)}": day.name for day in days}
        names, found = set(current.values()), dict[str, list[str]]()
        for key in await self._keys():
            name = current.get(key.rsplit("-", 2)[0])
            if name is not None:
                found.setdefault(name, []).append(key)
            elif complete or key.removeprefix(PREFIX).partition("/")[0] in names:
                await self._remove(key)
        return found

    async def read(self, key: str, columns: Iterable[str]) -> pl.DataFrame | None:
        """The table's columns; None for one that is damaged, which is removed, or cannot be had."""
        try:
            body = await self._files.get(key)
        except StorageError as error:
            log.warning("%s", error)
            return None
        if body is None:
            return None
        table = await asyncio.to_thread(_table, key, body, list(columns))
        if table is None:
            log.warning("%s: damaged", key)
            await self._remove(key)
        return table

    async def keep(self, day: Day, attempt: int, table: pl.DataFrame) -> None:
        """Keeps what was made of the day's events: every column of `scored_table`."""
        body = await asyncio.to_thread(_parquet, table)
        key = f"{PREFIX}{day.name}/{_made_of(day)}-{attempt}-{_sha256(body)}.parquet"
        try:
            await self._files.put(key, body)
        except StorageError as error:
            log.warning("%s", error)
            self.is_kept = False

    async def _keys(self) -> list[str]:
        try:
            return await self._files.keys(PREFIX)
        except StorageError as error:
            log.warning("%s", error)
            return []

    async def _remove(self, key: str) -> None:
        if self._discard is not None:
            try:
                await self._discard(key)
            except StorageError as error:
                log.warning("%s", error)


def _made_of(day: Day) -> str:
    return _sha256(f"{VERSION} {SHAPE} {day.content}".encode())[:32]


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _parquet(table: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    table.write_parquet(file, compression="zstd", statistics=False)
    return file.getvalue()


def _table(key: str, body: bytes, columns: Sequence[str]) -> pl.DataFrame | None:
    if not key.endswith(f"-{_sha256(body)}.parquet"):
        return None
    try:
        table = pl.read_parquet(io.BytesIO(body), columns=list(columns)).select(columns)
    except pl.exceptions.PolarsError:
        return None
    return table if table.schema == empty(columns).schema else None
