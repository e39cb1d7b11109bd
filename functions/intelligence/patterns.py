"""A look for patterns in what was scored lately: linked accounts, rules that fire together, segments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import polars as pl

from assay.intelligence.patterns_report import Cluster, PatternReport, RulePair, Segment
from assay.intelligence.scored_table import empty
from assay.schemas.stages import Decision
from functions.intelligence import patterns_clusters, patterns_rules, patterns_segments

WINDOW_DAYS = 7
FALSE_DISCOVERY_RATE = 0.05
LEAST_FRAUDS = 20
"""Confirmed in the window: with fewer, what was declined has to do."""
KEYS = ("client_id", "transaction_id")
COLUMNS = tuple(
    dict.fromkeys(
        (
            *KEYS,
            "occurred_at",
            "decision",
            *patterns_clusters.COLUMNS,
            *patterns_rules.COLUMNS,
            *patterns_segments.COLUMNS,
        )
    )
)
"""Of `scored_table` that are needed."""
Found = TypeVar("Found")


class PatternsCheck:
    """Made for a moment. Give it what was scored from `since` to before it, in parts of any size; then ask."""

    columns = COLUMNS

    def __init__(self, at: datetime, labels: pl.DataFrame | None = None) -> None:
        """`labels`: client_id, transaction_id, label; None when there are none to be had."""
        self.since = at - timedelta(days=2 * WINDOW_DAYS)
        self._at, self._labels = at, labels
        self._parts = [empty(COLUMNS)]

    def add(self, frame: pl.DataFrame) -> None:
        """Keeps what is needed of some rows of `scored_table`."""
        self._parts.append(frame.filter(pl.col("occurred_at") >= self.since).select(COLUMNS))

    def report(self) -> PatternReport:
        """What they show."""
        return look(pl.concat(self._parts), self._at, self._labels)


def look(table: pl.DataFrame, at: datetime, labels: pl.DataFrame | None = None) -> PatternReport:
    """What the window before `at` shows, beside the window before that.

    `table`: COLUMNS of `scored_table`, two windows long. `labels`: client_id, transaction_id, label; None: none.
    """
    start = at - timedelta(days=WINDOW_DAYS)
    marked, based_on = _marked(table, labels, start)
    now = marked.filter(pl.col("occurred_at") >= start, pl.col("occurred_at") < at)
    before = marked.filter(pl.col("occurred_at") >= start - timedelta(days=WINDOW_DAYS), pl.col("occurred_at") < start)
    clusters, of_clusters = patterns_clusters.clusters(now, before, FALSE_DISCOVERY_RATE)
    pairs, of_pairs = patterns_rules.rule_pairs(now, before, FALSE_DISCOVERY_RATE)
    segments, of_segments = patterns_segments.segments(now, before, FALSE_DISCOVERY_RATE)
    return PatternReport(
        at=at,
        window_days=WINDOW_DAYS,
        events=len(now),
        bad=int(now["bad"].sum()),
        based_on=based_on,
        false_discovery_rate=FALSE_DISCOVERY_RATE,
        looked_at={"clusters": of_clusters, "rule_pairs": of_pairs, "segments": of_segments},
        clusters=_emerging(clusters, _of_cluster),
        rule_pairs=_emerging(pairs, _of_pair),
        segments=_emerging(segments, _of_segment),
    )


def _marked(
    table: pl.DataFrame, labels: pl.DataFrame | None, start: datetime
) -> tuple[pl.DataFrame, Literal["labels", "declines"]]:
    """With `bad` beside."""
    if labels is not None:
        frauds = labels.filter(pl.col("label") == "fraud_confirmed").select(*KEYS, pl.lit(value=True).alias("bad"))
        joined = table.join(frauds.unique(KEYS), on=KEYS, how="left", maintain_order="left")
        marked = joined.with_columns(pl.col("bad").fill_null(value=False))
        if marked.filter(pl.col("occurred_at") >= start)["bad"].sum() >= LEAST_FRAUDS:
            return marked, "labels"
    declined = (pl.col("decision") == Decision.DECLINE.value).fill_null(value=False)
    return table.with_columns(declined.alias("bad")), "declines"


def _emerging(found: list[Found], factor: Callable[[Found], tuple[float, float]]) -> list[Found]:
    return sorted(found, key=factor)


def _of_cluster(one: Cluster) -> tuple[float, float]:
    return -one.events.factor, one.p


def _of_pair(one: RulePair) -> tuple[float, float]:
    return -one.both.factor, one.p


def _of_segment(one: Segment) -> tuple[float, float]:
    return -one.bad.factor, one.p
