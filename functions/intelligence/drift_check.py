"""A look for drift: counts what was scored lately, and compares its windows with their baselines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from assay.intelligence.drift_policy import DriftPolicy
from assay.intelligence.drift_report import DRIFT_DETECTED, DriftReport, Level, Measurement
from assay.intelligence.reference import FILE, load_reference
from assay.moments import microseconds, moment
from assay.policy import Policy
from assay.release import Release
from assay.schemas.event import SYSTEM, Event
from functions.intelligence.drift_cells import ALL, FRAUD, HOUR, Cells, dimensions_of, marked
from functions.intelligence.drift_comparisons import Comparison, comparisons, reach
from functions.intelligence.drift_measures import Counts
from functions.intelligence.drift_variables import DECISIONS, OUTCOME, variables_of
from functions.intelligence.drift_yardsticks import Found

NEEDED = ("client_id", "transaction_id", "occurred_at", "decision", "release_hash", "is_early_exit")
MAX_FACTS = 20
"""Of what an event tells in words; the report has everything."""


class DriftCheck:
    """Made for a moment. Give it what was scored from `since` to before it, in parts of any size; then ask."""

    def __init__(self, release: Release, at: datetime, labels: pl.DataFrame | None = None, earlier: int = 0) -> None:
        """`at`: the end of a step (`step_end`). `labels`: client_id, transaction_id, label, labelled_at; None when
        there are none to be had. `earlier`: so many looks before that one can be had as well.

        Raises `ReleaseError` or `PolicyError` for a release without what is compared with.
        """
        reference = load_reference(release.read(FILE))
        self._release, self._at = release, at
        self._frauds = None if labels is None else labels.filter(pl.col("label") == FRAUD)
        self._policy = policy = policy_of(release)
        variables = variables_of(reference, _decisions(release), policy.ignore)
        labelled = self._frauds is not None and not self._frauds.is_empty()
        self._comparisons = list(comparisons(variables, policy, labelled=labelled))
        steps, step = reach(self._comparisons) + policy.consecutive - 1 + earlier, policy.step_hours * HOUR
        first = microseconds(at) - steps * step
        self.since = moment(first)
        self._cells = Cells([*variables, OUTCOME], dimensions_of(reference, policy), first, steps, step)
        self.columns = tuple(dict.fromkeys((*NEEDED, *(variable.name for variable in variables))))
        """Of `scored_table` that are needed."""

    def add(self, frame: pl.DataFrame) -> None:
        """Counts some rows of `scored_table`."""
        self._cells.add(marked(frame, self._frauds, self._release.hash))

    def report(self, previous: DriftReport | None = None, back: int = 0) -> DriftReport:
        """What was counted says. `previous`: the report before, whose alarms last until they are below the warning.
        `back`: of so many looks earlier; labels count from when they are due, so it is what it would have been."""
        at = self._at - back * timedelta(hours=self._policy.step_hours)
        measured = list(self._measured(self._cells.steps - back))
        found = [measurement for measurement in measured if measurement is not None]
        grave = {
            level: {one.name for one in found if one.level.gravity >= level.gravity}
            for level in (Level.WARNING, Level.ALARM)
        }
        before = {} if previous is None else previous.since
        since = {name: at for name, at in before.items() if name in grave[Level.WARNING]}
        since |= {name: at for name in grave[Level.ALARM] if name not in since}
        shown = [one for one in found if one.segment == ALL or one.level is not Level.OK]
        return DriftReport(
            at=at,
            release=self._release.version,
            events=self._cells.events,
            level=max((one.level for one in found), key=_gravity, default=Level.OK),
            drifted=sorted(since),
            since=dict(sorted(since.items())),
            measurements=sorted(shown, key=_order),
            too_few=len(measured) - len(found),
        )

    def _measured(self, end: int) -> Iterator[Measurement | None]:
        for comparison in self._comparisons:
            own = comparison.variable.name
            for segment, name in enumerate(self._cells.segments):
                is_part = name != ALL
                if is_part and (comparison.baseline is None or name.startswith((f"{own}=", f"{own}<", f"{own}>"))):
                    continue  # the reference knows no segments, and what a segment is made by cannot drift in it
                yield self._measurement(comparison, segment, end)

    def _measurement(self, comparison: Comparison, segment: int, end: int) -> Measurement | None:
        """As grave as the least grave of the last looks; None when there was too little for one of them."""
        latest = _found(self._cells, comparison, segment, end)
        if latest is None:
            return None
        level = comparison.yardstick.level(latest, self._policy.significance)
        for back in range(1, self._policy.consecutive):
            if level is Level.OK:
                break
            found = _found(self._cells, comparison, segment, end - back)
            if found is None:
                return None
            level = min(level, comparison.yardstick.level(found, self._policy.significance), key=_gravity)
        hours = comparison.window.steps * self._policy.step_hours
        return Measurement(
            kind=comparison.kind,
            name=comparison.name,
            measure=comparison.yardstick.measure,
            segment=self._cells.segments[segment],
            window=f"{hours // 24}d" if hours > 24 and hours % 24 == 0 else f"{hours}h",
            against=comparison.against,
            value=round(latest.distance.value, 6),
            before=latest.before,
            now=latest.now,
            count=latest.count,
            level=level,
        )


def crossing(previous: DriftReport | None, report: DriftReport) -> Event | None:
    """The event about what has come into alarm since the report before; None when nothing has.

    The same look gives the event the same id.
    """
    new = [name for name in report.drifted if previous is None or name not in previous.since]
    if not new:
        return None
    alarms = [one for one in report.measurements if one.name in new and one.level is Level.ALARM]
    return Event(
        event=DRIFT_DETECTED,
        id=f"evt_drift_{microseconds(report.at)}",
        client_id=SYSTEM,
        occurred_at=report.at,
        data={
            "names": new,
            "release": report.release,
            "measurements": [described(one) for one in alarms[:MAX_FACTS]],
            "alarms": len(alarms),
        },
    )


def described(one: Measurement) -> str:
    """On one line."""
    value = f"{one.value:.3f}" if one.before is None else f"{one.before:.4f} -> {one.now:.4f}"
    return f"{one.name} {one.measure} {value}, {one.window} against {one.against}, {one.segment}"


def policy_of(release: Release) -> DriftPolicy:
    """Raises `PolicyError`."""
    return Policy.of(release).drift


def _found(cells: Cells, comparison: Comparison, segment: int, end: int) -> Found | None:
    def counts(steps: int, before: int) -> Counts:
        return cells.window(comparison.variable, segment, end - before, steps)

    window = counts(comparison.window.steps, comparison.window.before)
    if comparison.baseline is not None:
        baseline: Counts | None = counts(comparison.baseline.steps, comparison.baseline.before)
    else:
        baseline = comparison.variable.baseline
    return None if baseline is None else comparison.yardstick.compare(baseline, window, is_segment=segment > 0)


def _decisions(release: Release) -> Counts | None:
    """How many of each decision there were in training, of the release's metrics; None when they do not say."""
    metrics, training = release.manifest.metrics, release.manifest.training
    fraud = training.frauds / max(1, training.rows)
    shares = [
        _share(metrics, "fraud", name, fraud) + _share(metrics, "legitimate", name, 1 - fraud) for name in DECISIONS
    ]
    known = all(f"decisions.{truth}.{name}" in metrics for truth in ("fraud", "legitimate") for name in DECISIONS)
    return np.array([*shares, 0.0, 0.0]) * training.rows if known and training.rows else None


def _share(metrics: Mapping[str, float], truth: str, decision: str, weight: float) -> float:
    return metrics.get(f"decisions.{truth}.{decision}", 0.0) * weight


def _gravity(level: Level) -> int:
    return level.gravity


def _order(one: Measurement) -> tuple[object, ...]:
    return (
        -one.level.gravity,
        one.segment != ALL,
        one.kind,
        one.name,
        one.window,
        one.against,
        one.measure,
        one.segment,
    )
