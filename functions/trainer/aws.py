"""An installation on AWS, for the trainer: archive and registry in buckets, labels and reports in a table."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay import moments
from assay.adapters.archives import open_archive
from assay.adapters.aws.intelligence import DynamoReportStore
from assay.adapters.aws.labels import DynamoLabelStore
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.releases import announce
from assay.adapters.aws.table import Table
from assay.features.rates import Rates
from assay.intelligence.labels_table import labels_since
from assay.intelligence.reports import StoredReport
from assay.intelligence.scored_history import archived_history
from assay.intelligence.scored_table import COLUMNS, empty
from assay.moments import moment
from assay.release import Release
from assay.release.pointer import CHALLENGER, CHAMPION, Move, Pointer
from assay.release.registry import Keys, Registry
from assay.release.served import open_registry
from assay.schemas.event import Event
from functions.trainer.bootstrap import Settings
from functions.trainer.objects import Objects
from training.champion import ReleaseScorer
from training.retraining.golden import FILE, MAX_BYTES, SIGNATURE, SIGNATURE_BYTES, GoldenSetError, Sealed

log = logging.getLogger(__name__)
LOADED_MB = 700
"""What a run takes before it has read anything, twice over."""
ROWS_PER_MB = 250
"""Of a history, at 3.3 kB of the peak a row; docs/retraining.md says how that was measured."""
MAX_COSTS = 1 << 20
RETOLD = timedelta(hours=2)
"""Moves are told of again for so long: a run that made one may have ended before it told."""
T = TypeVar("T")


class OnAws:
    """As `Installation`. Made within an event loop, which then runs while a method waits, and only then."""

    def __init__(
        self, settings: Settings, table: Table, outbox: DynamoOutbox, trusted: Keys, key: Ed25519PrivateKey
    ) -> None:
        """`table`: of labels and reports. Raises `SettingsError`."""
        self.registry: Registry = open_registry(settings.releases)
        self._trusted, self._key = trusted, key
        self._table, self._outbox = table, outbox
        self._labels, self._reports = DynamoLabelStore(table), DynamoReportStore(table)
        self._max_rows = max(0, settings.memory_mb - LOADED_MB) * ROWS_PER_MB
        self._scored, self._objects = archived_history(open_archive(settings.archive)), Objects(settings.training)
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lambda starts one at a time (its reserved concurrency); of two all the same, one is told at the end."""
        yield

    def trusted(self) -> Keys:
        """Those in the image."""
        return self._trusted

    def signing_key(self) -> Ed25519PrivateKey:
        """The secret's."""
        return self._key

    def servable(self, release: Release) -> None:
        """Whether it can be loaded whole."""
        ReleaseScorer(release)
        Rates.load(release.read("rates.yaml"))

    def history(self, days: int, until: datetime | None = None) -> pl.DataFrame:
        """Of the archive; the newest days are those up to now."""
        end = until or moment(moments.now())
        return self._wait(self._history(end - timedelta(days=days), until))

    def decided_by(self, release_hash: str, since: datetime) -> pl.DataFrame:
        """Of the archive."""
        return self._wait(self._scored.decided_by(release_hash, since))

    def labels(self, since: datetime) -> pl.DataFrame:
        """Of the table."""
        return self._wait(labels_since(self._labels, since))

    def report(self, kind: str) -> StoredReport | None:
        """Of the table."""
        return self._wait(self._reports.newest(kind))

    def keep(self, kind: str, before: StoredReport | None, report: StoredReport, events: Sequence[Event]) -> bool:
        """One transaction."""
        return self._wait(self._reports.replace(kind, before, report, events))

    def announce(self, event: Event) -> None:
        """Into the outbox."""
        self._wait(self._table.commit("event", [], [event]))

    def tell(self, moves: Sequence[Move]) -> None:
        """Into the outbox."""
        self._wait(announce(self._table.client, self._outbox, moves))

    def tell_again(self) -> None:
        """Announces the last moves, if they are recent: whoever made them may have ended before it did."""
        bodies = [(name, self.registry.read(name)) for name in (CHAMPION, CHALLENGER)]
        moves = [move for name, found in bodies if found for move in Pointer.read(name, found[0]).moves[:1]]
        recent = moment(moments.now()) - RETOLD
        self.tell([move for move in moves if move.moment >= recent])

    def golden(self) -> Sealed | None:
        """Two objects."""
        body = self._objects.get(FILE, MAX_BYTES)
        if body is None:
            return None
        signature = self._objects.get(SIGNATURE, SIGNATURE_BYTES)
        if signature is None:
            raise GoldenSetError(f"{SIGNATURE}: is missing")
        return Sealed(body, signature)

    def freeze(self, sealed: Sealed) -> None:
        """The signature first: alone it is none."""
        self._objects.put(SIGNATURE, sealed.signature)
        self._objects.put(FILE, sealed.body)

    def costs(self) -> str | None:
        """An object."""
        body = self._objects.get("costs.yaml", MAX_COSTS)
        return None if body is None else body.decode("utf-8", "replace")

    def write_report(self, name: str, body: bytes) -> None:
        """Under `reports/`."""
        self._objects.put(f"reports/{name}", body)

    async def _history(self, since: datetime, until: datetime | None) -> pl.DataFrame:
        """By whole days; those that are too much are let go as the newer ones come."""
        days: deque[pl.DataFrame] = deque()
        rows = left = 0
        async for day in self._scored.frames(since, until):
            days.append(day)
            rows += len(day)
            while rows - len(days[0]) >= self._max_rows:
                left += len(days[0])
                rows -= len(days.popleft())
        if left:
            log.warning("%d rows are too many to train on, the oldest %d are left out", rows + left, left)
        return pl.concat([empty(COLUMNS), *days]).sort("occurred_at", maintain_order=True)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)
