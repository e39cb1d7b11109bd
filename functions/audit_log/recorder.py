"""Keeps one record of every event in a hash chain that shows what was changed, taken out or put in."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from assay.audit import Batch, Entry, Head, seal
from assay.audit.chain import PREFIX, object_hash, span
from assay.audit.reading import BrokenChain
from assay.audit.reading import entries as entries_of
from assay.errors import AnchorMoved, StorageError
from assay.ports import Archive, AuditAnchor, AuditAnchorStore, OutboxEvent
from assay.schemas.event import Event
from assay.schemas.event_reader import EventReader
from assay.schemas.scored import ScoredHead

log = logging.getLogger(__name__)
ATTEMPTS = 10
"""To be first. Each time another writer is, the log has grown."""
PAUSE_S = 0.05
"""At most, after the first of them; longer after each, so that two writers do not go on in step."""


READER = EventReader(ScoredHead, Event)


class AuditLog:
    """Consumer of every event. Idempotent: the first of equal events is recorded.

    An object is announced to the anchor with its bytes, written, and then anchored together with what it holds. Whoever
    finds an object announced, after a crash or beside another writer, writes that very object and anchors it before its
    own. So whatever stops in between, and however late a write lands, it is the same bytes under the same key: the
    chain cannot fork, and no writer waits for another.
    """

    name = "audit_log"
    kinds: frozenset[str] | None = None

    def __init__(
        self,
        archive: Archive,
        anchor: AuditAnchorStore,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._archive = archive
        self._anchor = anchor
        self._now = now
        self._head: Head | None = None
        """None until it is known that archive and anchor agree."""

    async def handle(self, events: Sequence[OutboxEvent]) -> None:
        """Records all of them, or raises: `PoisonEvent`, `StorageError`."""
        await self.record([read(event.body) for event in events])

    async def record(self, entries: Sequence[Entry]) -> None:
        """Records those that are not in the log yet. Raises `StorageError`; what is recorded by then stays."""
        once = {entry.identity: entry for entry in reversed(entries)}
        if not once:
            return
        for attempt in range(1, ATTEMPTS + 1):
            head, self._head = self._head, None  # whatever goes wrong from here on: look again
            try:
                self._head = await self._record(head or await self._agree(), list(reversed(once.values())))
            except AnchorMoved:
                await asyncio.sleep(PAUSE_S * attempt * random.random())
                continue
            return
        raise StorageError("audit log: other writers are always first")

    async def _record(self, head: Head, entries: Sequence[Entry]) -> Head:
        recorded = await self._anchor.recorded(entries)  # still true when `head` is found to be the end
        fresh = [entry for entry in entries if entry.identity not in recorded]
        return await self._append(head, fresh) if fresh else head

    async def _append(self, head: Head, entries: Sequence[Entry]) -> Head:
        if len(entries) > self._anchor.max_entries:
            return await self._append_halves(head, entries)
        batch = await asyncio.to_thread(seal, head, entries, self._now())
        if len(batch.body) > self._anchor.max_body and len(entries) > 1:
            return await self._append_halves(head, entries)
        await self._anchor.intend(head, batch)
        return await self._finish(batch, entries)

    async def _append_halves(self, head: Head, entries: Sequence[Entry]) -> Head:
        middle = len(entries) // 2
        return await self._append(await self._append(head, entries[:middle]), entries[middle:])

    async def _finish(self, batch: Batch, entries: Sequence[Entry]) -> Head:
        """Writes the announced object, unless it is there, and anchors it."""
        if not await self._archive.put(batch.key, batch.body) and await self._archive.get(batch.key) != batch.body:
            raise _foreign(batch.key)
        await self._anchor.advance(batch, entries)
        return batch.head

    async def _agree(self) -> Head:
        """The head, after what is announced was written. Raises `StorageError` for what is not ours."""
        before = await self._anchor.read()
        keys = await self._archive.keys(PREFIX, before.key)
        anchor = await self._anchor.read()  # after the listing: by now whatever is ours has been announced
        tail = [key for key in keys if _last(key) > anchor.head.sequence]
        intended = await self._intended(anchor, tail)
        foreign = [key for key in tail if intended is None or key != intended.key]
        if foreign:
            raise _foreign(foreign[0])
        if intended is None:
            return anchor.head
        log.info("taking up %s, announced before", intended.key)
        try:
            entries = entries_of(intended.key, intended.body, anchor.head.hash)
        except BrokenChain as error:
            raise StorageError(f"what the anchor announces does not continue the log: {error}") from error
        return await self._finish(intended, entries)

    async def _intended(self, anchor: AuditAnchor, tail: Sequence[str]) -> Batch | None:
        """What is announced. An earlier version did not keep its bytes: it is in the archive, or will never be."""
        intended = anchor.intended
        if intended is None or intended.body:
            return intended
        for key in tail:
            body = await self._archive.get(key)
            if body is not None and object_hash(body) == intended.head.hash:
                return Batch(key, body, intended.head)
        return None


def read(body: bytes) -> Entry:
    """The entry about an event. Raises `PoisonEvent`, which says nothing of what the message holds."""
    event = READER.read(body)
    id_ = event.verdict.transaction_id if isinstance(event, ScoredHead) else event.id
    return Entry(event.event, event.client_id, id_, body)


def _foreign(key: str) -> StorageError:
    return StorageError(f"{key}: there is an object that this log did not write")


def _last(key: str) -> int:
    place = span(key)
    return 0 if place is None else place[1]
