"""Keeps one record of every decision in a hash chain that shows what was changed, taken out or put in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.audit import Entry, Head, seal
from assay.audit.chain import PREFIX, object_hash, span
from assay.audit.reading import entries as entries_of
from assay.errors import PoisonEvent, StorageError
from assay.ports import Archive, AuditAnchorStore, OutboxEvent

log = logging.getLogger(__name__)


class _Verdict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    transaction_id: str


class _Event(BaseModel):
    """What is needed of `TransactionScored`; the rest is recorded as it came."""

    model_config = ConfigDict(strict=True, frozen=True)
    event: Literal["transaction.scored"]
    version: Literal[1]
    client_id: str
    verdict: _Verdict


class AuditLog:
    """Consumer of `transaction.scored`, the only writer of its log. Idempotent: the first of equal events is recorded.

    An object is announced to the anchor, written, and then anchored together with what it holds. A crash in between
    leaves an object that the anchor knows by its hash, or none: the next start goes on from there.
    """

    name = "audit_log"

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
        once = {entry.identity: entry for entry in reversed([read(event.body) for event in events])}
        entries = list(reversed(once.values()))
        head = self._head = self._head or await self._agree()
        recorded = await self._anchor.recorded(entries)
        fresh = [entry for entry in entries if entry.identity not in recorded]
        if fresh:
            self._head = None  # whatever goes wrong from here on: look again
            self._head = await self._append(head, fresh)

    async def _append(self, head: Head, entries: Sequence[Entry]) -> Head:
        batch = await asyncio.to_thread(seal, head, entries, self._now())
        await self._anchor.intend(batch.head)
        if not await self._archive.put(batch.key, batch.body):
            raise StorageError(f"{batch.key}: there is an object that this log did not write")
        await self._anchor.advance(batch.head, entries)
        return batch.head

    async def _agree(self) -> Head:
        """The head, after what a crash left behind was taken up. Raises `StorageError` for what is not ours."""
        anchor = await self._anchor.read()
        tail = [key for key in await self._archive.keys(PREFIX) if _last(key) > anchor.head.sequence]
        if not tail:
            return anchor.head
        body = await self._archive.get(tail[0])
        intended = anchor.intended
        if len(tail) > 1 or body is None or intended is None or object_hash(body) != intended.hash:
            raise StorageError(f"{tail[0]}: there is an object that this log did not write")
        log.warning("taking up %s, written before the last stop", tail[0])
        await self._anchor.advance(intended, entries_of(tail[0], body, anchor.head.hash))
        return intended


def read(body: bytes) -> Entry:
    """The entry about a scored event. Raises `PoisonEvent`, which says nothing of what the message holds."""
    try:
        event = _Event.model_validate_json(body)
    except ValidationError as error:
        raise PoisonEvent(f"not a transaction.scored event: {error.error_count()} errors") from None
    return Entry(event.event, event.client_id, event.verdict.transaction_id, body)


def _last(key: str) -> int:
    place = span(key)
    return 0 if place is None else place[1]
