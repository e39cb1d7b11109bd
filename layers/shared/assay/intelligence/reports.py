"""The newest report of each kind, as Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assay.schemas.event import Event

DRIFT = "drift"
PATTERNS = "patterns"
RETRAINING = "retraining"


@dataclass(frozen=True, slots=True)
class StoredReport:
    """`at`: what moment it is of, in microseconds. `body`: JSON."""

    at: int
    body: bytes


class ReportStore(Protocol):
    """Every method raises `StorageError`."""

    async def newest(self, kind: str) -> StoredReport | None:
        """The report, if one was ever made."""
        ...

    async def replace(
        self, kind: str, before: StoredReport | None, report: StoredReport, events: Sequence[Event] = ()
    ) -> bool:
        """Puts the report in the place of `before`, together with what is announced of it.

        False, and nothing is changed, when another one is there by now.
        """
        ...
