"""Scored events in an archive: gzip JSON Lines, a folder per day, which any query engine reads as it is."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, date

from assay.errors import PoisonEvent, StorageError
from assay.ports import Archive, ScoredEvent
from assay.schemas.scored import read_scored

PREFIX = "scored/"


class ScoredEventArchive:
    """`scored/dt=<day>/<first decision>-<sha256 of the lines>.jsonl.gz`, a line being an event as it came.

    The same events make the same object again. Events that come again in other company are kept twice and read once.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def record(self, events: Sequence[ScoredEvent]) -> None:
        """Keeps the events durably: one object per day (UTC) they were decided on. Raises `StorageError`."""
        for day, of_day in _by_day(events).items():
            lines = b"".join(_line(event) for event in of_day)
            first = of_day[0].decided_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
            # The hash is of the lines: another zlib may compress them to other bytes.
            key = f"{PREFIX}dt={day:%Y-%m-%d}/{first}-{hashlib.sha256(lines).hexdigest()}.jsonl.gz"
            await self._archive.put(key, gzip.compress(lines, mtime=0))

    async def count(self) -> int:
        """How many events are kept. Reads them all."""
        return sum([1 async for _ in self.bodies()])

    async def bodies(self) -> AsyncIterator[bytes]:
        """Every event once, by day; of equal ones the first. Raises `StorageError`, for an unreadable object too."""
        seen: set[tuple[str, str]] = set()
        for key in await self._archive.keys(PREFIX):
            for line in lines_of(key, await self._archive.get(key)):
                identity = _identity(key, line)
                if identity not in seen:
                    seen.add(identity)
                    yield line


def _by_day(events: Iterable[ScoredEvent]) -> dict[date, list[ScoredEvent]]:
    """Each event once, ordered by its content and not by its arrival, so that a batch is the same when it comes again.

    An event comes with the same moment every time, so it is on the same day every time.
    """
    once: dict[tuple[str, str], ScoredEvent] = {}
    for event in events:
        once.setdefault((event.client_id, event.transaction_id), event)
    days = defaultdict(list)
    for event in sorted(once.values(), key=lambda event: (event.decided_at, event.client_id, event.transaction_id)):
        days[event.decided_at.astimezone(UTC).date()].append(event)
    return days


def _line(event: ScoredEvent) -> bytes:
    """Line breaks in JSON stand between its tokens only, where a blank is as good."""
    return event.body.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"


def lines_of(key: str, body: bytes | None) -> list[bytes]:
    """The events in an object. Raises `StorageError`, naming it."""
    if not body:
        raise StorageError(f"{key}: is empty or gone")
    try:
        return gzip.decompress(body).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise StorageError(f"{key}: not a gzip file: {error}") from error


def _identity(key: str, line: bytes) -> tuple[str, str]:
    try:
        event = read_scored(line)
    except PoisonEvent as error:
        raise StorageError(f"{key}: holds a line that is not a scored event") from error
    return event.client_id, event.verdict.transaction_id
