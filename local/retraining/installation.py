"""The embedded installation, for the trainer: one file, and folders beside it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.adapters.sqlite.intelligence import SqliteReportStore
from assay.adapters.sqlite.ledger import INSERT_EVENT
from assay.errors import StorageError
from assay.intelligence.reports import StoredReport
from assay.release import Release
from assay.release.files import replace
from assay.release.folder import FolderRegistry
from assay.release.keys import load_or_create_signing_key
from assay.release.pointer import Move
from assay.release.registry import Keys
from assay.schemas.event import Event
from functions.trainer.installation import RetrainingError
from local.champion import trusted_keys
from local.history import decided_by, newest, scored_table
from local.labels import labels_table
from local.ledger import with_ledger
from local.places import Places
from local.registry import servable
from local.releases import tell
from training.retraining import golden
from training.retraining.golden import Sealed


@dataclass(frozen=True, slots=True)
class Embedded:
    """As `Installation`."""

    places: Places

    @property
    def registry(self) -> FolderRegistry:
        """The models folder's."""
        return FolderRegistry(self.places.releases)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Two at once would do the same work twice, and one would be told that the champion has moved."""
        folder = self.places.data
        if not folder.is_dir():
            raise StorageError(f"{folder}: there is no such data folder")
        descriptor = os.open(folder / "retraining.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise RetrainingError("a retraining is under way on this data folder") from None
        finally:
            os.close(descriptor)

    def trusted(self) -> Keys:
        """The keys beside the registry, and its own."""
        return trusted_keys(self.places)

    def signing_key(self) -> Ed25519PrivateKey:
        """Its own, made when there is none."""
        return load_or_create_signing_key(self.places.release_key)

    def servable(self, release: Release) -> None:
        """Whether a server could be built from it."""
        servable(release)

    def history(self, days: int, until: datetime | None = None) -> pl.DataFrame:
        """Of the database."""
        end = until or newest(self.places)
        return scored_table(self.places, None if end is None else end - timedelta(days=days), until)

    def decided_by(self, release_hash: str, since: datetime) -> pl.DataFrame:
        """Of the database."""
        return decided_by(self.places, release_hash, since)

    def labels(self, since: datetime) -> pl.DataFrame:
        """All there are."""
        return labels_table(self.places.database)

    def report(self, kind: str) -> StoredReport | None:
        """Of the database."""
        return with_ledger(self.places.database, lambda ledger: SqliteReportStore(ledger).newest(kind))

    def keep(self, kind: str, before: StoredReport | None, report: StoredReport, events: Sequence[Event]) -> bool:
        """One commit."""
        return with_ledger(
            self.places.database, lambda ledger: SqliteReportStore(ledger).replace(kind, before, report, events)
        )

    def announce(self, event: Event) -> None:
        """Into the outbox, beside a running server or without one."""
        unit = [(INSERT_EVENT, (event.to_json(), event.event))]
        with_ledger(self.places.database, lambda ledger: ledger.commits.commit(unit))

    def tell(self, moves: Sequence[Move]) -> None:
        """Those that were not announced yet."""
        asyncio.run(tell(self.places, moves))

    def golden(self) -> Sealed | None:
        """In the data folder."""
        return golden.read(self.places.data)

    def freeze(self, sealed: Sealed) -> None:
        """In the data folder."""
        golden.write(self.places.data, sealed)

    def costs(self) -> str | None:
        """costs.yaml of the data folder."""
        own = self.places.data / "costs.yaml"
        return own.read_text("utf-8") if own.is_file() else None

    def write_report(self, name: str, body: bytes) -> None:
        """In the folder `reports` of the models folder."""
        folder = self.places.models / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / name, body)
