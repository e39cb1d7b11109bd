"""Looks for drift and patterns over an archive of scored events: what a schedule starts on AWS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from assay.features.windows import DAY
from assay.intelligence import archived
from assay.intelligence.drift_report import DriftReport
from assay.intelligence.reports import DRIFT, PATTERNS, ReportStore, StoredReport
from assay.intelligence.scored_table import IDENTITY, decode, empty
from assay.labels.ports import LabelStore, Position
from assay.moments import microseconds, moment
from assay.ports import Archive
from assay.release import Release
from assay.schemas.event import Event
from functions.intelligence import patterns
from functions.intelligence.drift_cells import step_end
from functions.intelligence.drift_check import DriftCheck, crossing, policy_of

AT_ONCE = 500
LABELS = pl.Schema(
    {
        **dict.fromkeys(("client_id", "transaction_id", "label"), pl.String()),
        "labelled_at": pl.Datetime("us", "UTC"),
    }
)


@dataclass(frozen=True, slots=True)
class Looker:
    """What the looks work with."""

    archive: Archive
    reports: ReportStore
    labels: LabelStore
    release: Release

    async def look(self, now: datetime) -> dict[str, bool]:
        """Looks at the last step before the moment, unless that was done; which of the reports are new.

        Run it as often as you like. Raises `StorageError`, `ReleaseError`, `PolicyError`.
        """
        at = step_end(now, policy_of(self.release))
        return {DRIFT: await self._drift(at), PATTERNS: await self._patterns(at)}

    async def _drift(self, at: datetime) -> bool:
        stored = await self.reports.newest(DRIFT)
        previous = None if stored is None else DriftReport.model_validate_json(stored.body)
        if previous is not None and previous.at >= at and previous.release == self.release.version:
            return False
        check = DriftCheck(self.release, at, await self._labels(at))
        async for frame in frames(self.archive, check.since, at, check.columns):
            await asyncio.to_thread(check.add, frame)
        report = await asyncio.to_thread(check.report, previous)
        event = crossing(previous, report)
        return await self._keep(DRIFT, stored, at, report.model_dump_json(), [] if event is None else [event])

    async def _patterns(self, at: datetime) -> bool:
        stored = await self.reports.newest(PATTERNS)
        if stored is not None and stored.at >= microseconds(at):
            return False
        since = at - timedelta(days=2 * patterns.WINDOW_DAYS)
        parts = [frame async for frame in frames(self.archive, since, at, patterns.COLUMNS)]
        table = pl.concat([empty(patterns.COLUMNS), *parts])
        report = await asyncio.to_thread(patterns.look, table, at, await self._labels(at))
        return await self._keep(PATTERNS, stored, at, report.model_dump_json(), [])

    async def _keep(
        self, kind: str, before: StoredReport | None, at: datetime, body: str, events: Sequence[Event]
    ) -> bool:
        return await self.reports.replace(kind, before, StoredReport(microseconds(at), body.encode()), events)

    async def _labels(self, at: datetime) -> pl.DataFrame:
        """Of what was decided in the weeks that a look reaches back to."""
        rows: list[tuple[str, str, str, datetime]] = []
        after: Position | None = None
        while page := await self.labels.in_effect(microseconds(at) - REACH, after, AT_ONCE):
            for one in page:
                if one.current is not None:
                    subject, opinion = one.subject, one.current
                    known = moment(opinion.labelled_at)
                    rows.append((subject.client_id, subject.transaction_id, opinion.label.value, known))
            last = page[-1].subject
            after = Position(last.decided_at, last.client_id, last.transaction_id)
        return pl.DataFrame(rows, schema=LABELS, orient="row")


REACH = 150 * DAY
"""Longer than any policy looks back."""


async def frames(
    archive: Archive, since: datetime, until: datetime, columns: Sequence[str]
) -> AsyncIterator[pl.DataFrame]:
    """The columns of each day's events with `since <= occurred_at < until`, each once. Raises `StorageError`."""
    asked = list(dict.fromkeys([*columns, *IDENTITY, "occurred_at"]))
    async for bodies in archived.days(archive, since):
        frame = await asyncio.to_thread(decode, bodies, asked)
        inside = frame.filter(pl.col("occurred_at") >= since, pl.col("occurred_at") < until)
        yield inside.unique(IDENTITY, keep="first", maintain_order=True).select(list(dict.fromkeys(columns)))
