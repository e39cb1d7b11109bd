"""Looks for drift and patterns: reads once what both need, keeps what is found, announces what is new."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

import polars as pl

from assay.intelligence.drift_report import DriftReport
from assay.intelligence.reports import DRIFT, PATTERNS, ReportStore, StoredReport
from assay.intelligence.scored_history import ScoredHistory
from assay.moments import microseconds
from assay.release import Release
from assay.schemas.event import Event
from functions.intelligence.drift_cells import step_end
from functions.intelligence.drift_check import DriftCheck, crossing, policy_of
from functions.intelligence.patterns import PatternsCheck

KINDS = (DRIFT, PATTERNS)
Labels: TypeAlias = Callable[[datetime], Awaitable["pl.DataFrame | None"]]
"""Of the moment of a look: client_id, transaction_id, label, labelled_at. None when there are none to be had."""


class Check(Protocol):
    """Is made for a moment, and given what was scored before that in parts of any size."""

    @property
    def since(self) -> datetime:
        """From when on events are needed."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """Of `scored_table` that are needed."""
        ...

    def add(self, frame: pl.DataFrame) -> None:
        """Takes some rows; those from before `since` do not matter."""
        ...


async def read(history: ScoredHistory, at: datetime, checks: Sequence[Check]) -> None:
    """Gives the checks, which were made for that moment, what was scored, reading it once. Raises `StorageError`."""
    columns = [name for check in checks for name in check.columns]
    async for frame in history.frames(min(check.since for check in checks), at, columns):
        for check in checks:
            await asyncio.to_thread(check.add, frame)


@dataclass(frozen=True, slots=True)
class Looker:
    """What the looks that are kept work with."""

    history: ScoredHistory
    reports: ReportStore
    labels: Labels
    release: Release

    async def look(self, now: datetime, kinds: Sequence[str] = KINDS) -> dict[str, bool]:
        """Looks at the last step before the moment, unless that was done; which of the reports are new.

        Run it as often as you like. Raises `StorageError`, `ReleaseError`, `PolicyError`.
        """
        at = step_end(now, policy_of(self.release))
        before = {kind: await self.reports.newest(kind) for kind in kinds}
        due = [kind for kind in kinds if self._is_due(kind, before[kind], at)]
        if not due:
            return dict.fromkeys(kinds, False)
        labels = await self.labels(at)
        drift, patterns = DriftCheck(self.release, at, labels), PatternsCheck(at, labels)
        checks: dict[str, Check] = {DRIFT: drift, PATTERNS: patterns}
        await read(self.history, at, [checks[kind] for kind in due])
        new = dict.fromkeys(kinds, False)
        if DRIFT in due:
            new[DRIFT] = await self._keep_drift(drift, before[DRIFT])
        if PATTERNS in due:
            report = await asyncio.to_thread(patterns.report)
            new[PATTERNS] = await self._keep(PATTERNS, before[PATTERNS], at, report.model_dump_json())
        return new

    def _is_due(self, kind: str, before: StoredReport | None, at: datetime) -> bool:
        """Another release is compared with another reference; patterns have nothing to do with it."""
        if before is None or before.at < microseconds(at):
            return True
        return kind == DRIFT and DriftReport.model_validate_json(before.body).release != self.release.version

    async def _keep_drift(self, check: DriftCheck, before: StoredReport | None) -> bool:
        previous = None if before is None else DriftReport.model_validate_json(before.body)
        report = await asyncio.to_thread(check.report, previous)
        event = crossing(previous, report)
        return await self._keep(DRIFT, before, report.at, report.model_dump_json(), [] if event is None else [event])

    async def _keep(
        self, kind: str, before: StoredReport | None, at: datetime, body: str, events: Sequence[Event] = ()
    ) -> bool:
        return await self.reports.replace(kind, before, StoredReport(microseconds(at), body.encode()), events)
