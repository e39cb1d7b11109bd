"""What a retraining needs of the installation that it is for, as Protocol: embedded, or on AWS."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.errors import AssayError
from assay.intelligence.reports import StoredReport
from assay.release import Release
from assay.release.pointer import Move
from assay.release.registry import Keys, Registry
from assay.schemas.event import Event
from training.retraining.golden import Sealed


class RetrainingError(AssayError):
    """Nothing can be retrained now. The message says why."""


class Installation(Protocol):
    """One installation. Every method raises `StorageError`, those about releases `ReleaseError`."""

    @property
    def registry(self) -> Registry:
        """Its releases."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keeps others from retraining meanwhile, as far as they can be. Raises `RetrainingError`."""
        ...

    def trusted(self) -> Keys:
        """Whose releases and golden sets are good."""
        ...

    def signing_key(self) -> Ed25519PrivateKey:
        """What releases are signed with here; one of those trusted."""
        ...

    def servable(self, release: Release) -> None:
        """Raises `AssayError` for a release that nobody could serve."""
        ...

    def history(self, days: int, until: datetime | None = None) -> pl.DataFrame:
        """What happened in the days before `until`, or in the newest ones, as it was scored: the columns of
        `scored_table`. Of what is too much to be taken in, the newest days."""
        ...

    def decided_by(self, release_hash: str, since: datetime) -> pl.DataFrame:
        """The same of what this release decided at `since` or later, in the order of `occurred_at`."""
        ...

    def labels(self, since: datetime) -> pl.DataFrame:
        """The labels in effect, at least of what was decided at `since` or later: client_id, transaction_id, label,
        and two moments: `labelled_at`, when somebody came to it, and `known_at`, since when it counts here."""
        ...

    def report(self, kind: str) -> StoredReport | None:
        """The newest report of a kind."""
        ...

    def keep(self, kind: str, before: StoredReport | None, report: StoredReport, events: Sequence[Event]) -> bool:
        """Puts the report in the place of `before`, together with its events; False: another one is there by now."""
        ...

    def announce(self, event: Event) -> None:
        """Commits an event that goes with no other change."""
        ...

    def tell(self, moves: Sequence[Move]) -> None:
        """Announces moves of the registry's pointers; the same move once more does no harm."""
        ...

    def golden(self) -> Sealed | None:
        """The golden set, good or not; None: none was made. Raises `GoldenSetError`."""
        ...

    def freeze(self, sealed: Sealed) -> None:
        """Puts a golden set in the place of another."""
        ...

    def costs(self) -> str | None:
        """Its own costs.yaml, if it has one."""
        ...

    def write_report(self, name: str, body: bytes) -> None:
        """Keeps a report for people beside the registry: a release's own folder is signed, and closed."""
        ...
