"""Walks a chain from its first record to its last and proves it, in one pass, against its anchor if there is one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay.audit.chain import PREFIX, START, Head, span
from assay.audit.reading import BrokenChain, check
from assay.ports import Archive, AuditAnchor

ReadAnchor = Callable[[], Awaitable[AuditAnchor]]
Progress = Callable[[int, int], None]
"""Told after each object: records checked so far, records there are by the objects' names."""
AHEAD = 16
"""Objects that are being read while one is checked: a bucket takes its time to answer."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was walked, and whether it holds."""

    records: int
    objects: int
    head: Head
    """Where the walk ended; with a break, the last place that holds."""
    anchor: Head | None
    """The anchored head. None: verified without one, so that records missing at the end cannot be seen."""
    broken: BrokenChain | None

    @property
    def whole(self) -> bool:
        """Nothing is broken."""
        return self.broken is None


class _Object(NamedTuple):
    first: int
    last: int
    key: str


async def verify(
    archive: Archive,
    read_anchor: ReadAnchor | None = None,
    progress: Progress | None = None,
    noted: Iterable[Head] = (),
) -> Proof:
    """Proves the chain; also while it grows. Raises `StorageError` when something cannot be read at all.

    `noted`: heads that were written down elsewhere at some time; the chain has to go through each of them.
    """
    before = await archive.keys("")
    anchor = None if read_anchor is None else await read_anchor()
    try:
        # Listed before the anchor was read: nothing may be there that the anchor does not know.
        # Listed after: everything must be there that the anchor knows.
        objects = _ordered(before if anchor is None else await _known(archive, before, anchor.head.sequence))
        walk = _Walk(anchor, noted)
    except BrokenChain as error:
        return Proof(0, 0, START, None if anchor is None else anchor.head, error)
    broken = None
    try:
        async for item, body in _bodies(archive, objects):
            walk.step(item, body)
            if progress is not None:
                progress(walk.head.sequence, objects[-1].last)
        walk.end()
    except BrokenChain as error:
        broken = error
    return Proof(walk.head.sequence, walk.objects, walk.head, None if anchor is None else anchor.head, broken)


async def _known(archive: Archive, before: list[str], anchored: int) -> list[str]:
    now = await archive.keys(PREFIX)
    late = (key for key in now if (place := span(key)) is not None and place[1] <= anchored)
    return list({*before, *late})


def _ordered(keys: list[str]) -> list[_Object]:
    objects = []
    for key in keys:
        place = span(key)
        if place is None:
            raise BrokenChain(key, 0, "not an object of the audit log")
        objects.append(_Object(*place, key))
    return sorted(objects)


async def _bodies(archive: Archive, objects: Sequence[_Object]) -> AsyncIterator[tuple[_Object, bytes | None]]:
    """Each object with its bytes, in order."""
    reading: deque[asyncio.Task[bytes | None]] = deque()
    try:
        for number, item in enumerate(objects):
            coming = objects[number + len(reading) : number + AHEAD]
            reading.extend(asyncio.create_task(archive.get(later.key)) for later in coming)
            yield item, await reading.popleft()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


class _Walk:
    """How far the chain holds."""

    def __init__(self, anchor: AuditAnchor | None, noted: Iterable[Head]) -> None:
        self.head = START
        self.objects = 0
        self._anchor = anchor
        self._noted = sorted(noted, key=lambda head: head.sequence, reverse=True)
        self._key = "-"

    def step(self, item: _Object, body: bytes | None) -> None:
        """Checks the object after `head`."""
        expected = self.head.sequence + 1
        if item.first != expected:
            what = "records are missing" if item.first > expected else "the object repeats records of another one"
            raise BrokenChain(item.key, expected, what)
        if body is None:
            raise BrokenChain(item.key, expected, "the object is gone")
        head = Head(item.last, check(item.key, body, self.head.hash))
        self._compare(item.key, head)
        self._compare_noted(item.key, head)
        self.head, self._key = head, item.key
        self.objects += 1

    def end(self) -> None:
        """After the last object: is it the end that the anchor knows?"""
        if self._anchor is not None and self.head.sequence < self._anchor.head.sequence:
            reason = f"the log ends here; by its anchor it goes on to record {self._anchor.head.sequence}"
            raise BrokenChain(self._key, self.head.sequence + 1, reason)
        if self._noted:
            reason = f"the log ends here; by a head noted elsewhere it goes on to record {self._noted[0].sequence}"
            raise BrokenChain(self._key, self.head.sequence + 1, reason)

    def _compare_noted(self, key: str, head: Head) -> None:
        while self._noted and self._noted[-1].sequence <= head.sequence:
            noted = self._noted.pop()
            if noted not in (head, START):
                reason = f"not the head that was noted elsewhere with record {noted.sequence}"
                raise BrokenChain(key, self.head.sequence + 1, reason)

    def _compare(self, key: str, head: Head) -> None:
        if self._anchor is None or head.sequence < self._anchor.head.sequence:
            return
        first = self.head.sequence + 1
        if first <= self._anchor.head.sequence:
            if head != self._anchor.head:
                raise BrokenChain(key, first, "the object is not the one that the anchor knows as the last")
        elif self._anchor.intended is None or head != self._anchor.intended.head:
            raise BrokenChain(key, first, "written after the end that the anchor knows")
