"""How a window is compared with its baseline, and from where on that is a warning or an alarm. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from assay.intelligence.drift_policy import DriftPolicy, Limits
from assay.intelligence.drift_report import Level
from functions.intelligence import drift_measures as measures
from functions.intelligence.drift_measures import Counts, Distance, Share

Measure = Literal["psi", "ks", "ratio", "difference"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a comparison gave; the shares where it is of shares."""

    distance: Distance
    count: int
    count_before: int
    before: float | None = None
    now: float | None = None


@dataclass(frozen=True, slots=True)
class Yardstick:
    """`size`: what of the value the limits are of."""

    measure: Measure
    limits: Limits
    least: int
    """Events in the window and in the baseline."""
    least_in_segment: int
    find: Callable[[Counts, Counts], Found]
    size: Callable[[float], float] = abs

    def compare(self, baseline: Counts, window: Counts, *, is_segment: bool) -> Found | None:
        """None where there is too little of one."""
        least = self.least_in_segment if is_segment else self.least
        if min(baseline.sum(), window.sum()) < least:
            return None
        found = self.find(baseline, window)
        return None if min(found.count, found.count_before) < least else found

    def level(self, found: Found, significance: float) -> Level:
        """How grave it is."""
        size = self.size(found.distance.value)
        if size < self.limits.warning or found.distance.p >= significance:
            return Level.OK
        return Level.ALARM if size >= self.limits.alarm else Level.WARNING


def of_all_bins(policy: DriftPolicy) -> Yardstick:
    """By the stability index."""

    def find(baseline: Counts, window: Counts) -> Found:
        return Found(measures.psi(baseline, window), int(window.sum()), int(baseline.sum()))

    return Yardstick("psi", policy.psi, policy.min_events, policy.min_events_segment, find)


def of_ordered_bins(policy: DriftPolicy, bins: int) -> Yardstick:
    """By Kolmogorov-Smirnov over so many bins from the first on."""

    def find(baseline: Counts, window: Counts) -> Found:
        baseline, window = baseline[:bins], window[:bins]
        return Found(measures.ks(baseline, window), int(window.sum()), int(baseline.sum()))

    return Yardstick("ks", policy.ks, policy.min_events, policy.min_events_segment, find)


def of_rate(policy: DriftPolicy, *hits: int) -> Yardstick:
    """By how many times the share of these bins is up or down."""

    def find(baseline: Counts, window: Counts) -> Found:
        return _shares(measures.ratio, _share(baseline, hits), _share(window, hits))

    def size(value: float) -> float:
        return max(value, 1 / value)

    return Yardstick("ratio", policy.rate, policy.min_events, policy.min_events_segment, find, size)


def of_quality(policy: DriftPolicy, hit: int, miss: int) -> Yardstick:
    """By how much the share of a bin among two is down; that it is up is nothing to be warned of."""

    def find(baseline: Counts, window: Counts) -> Found:
        before, now = (_share(counts[[hit, miss]], (0,)) for counts in (baseline, window))
        return _shares(measures.difference, before, now)

    def size(value: float) -> float:
        return -value

    return Yardstick("difference", policy.outcome, policy.min_frauds, policy.min_frauds, find, size)


def _share(counts: Counts, hits: tuple[int, ...]) -> Share:
    return Share(float(counts[list(hits)].sum()), float(counts.sum()))


def _shares(measure: Callable[[Share, Share], Distance], before: Share, now: Share) -> Found:
    return Found(measure(before, now), int(now.count), int(before.count), before.value, now.value)
