"""From events to rows: every feature at the transaction's own time, computed by the code that serves."""

from __future__ import annotations

import hashlib
import heapq
import sys
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.features.catalog import ALL
from assay.features.direct import Features
from assay.features.profile import Profile
from assay.features.rates import Rates
from assay.features.transaction import Login, Transaction
from training.rows import MICROSECONDS
from training.simulator.events import Event, SimulatedLogin, as_seen_login, as_transaction

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[str, float], None]
"""Told the step under way and the share of it that is done, 0..1."""

NUMERIC = tuple(feature.name for feature in ALL if feature.kind != "category")
CATEGORIES = tuple(feature.name for feature in ALL if feature.kind == "category")
REPORT_EVERY = 5_000
UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """One row per transaction, in time order. Times in seconds since the epoch; NaN and None are unknown."""

    numeric: dict[str, Floats]
    categories: dict[str, list[str | None]]
    times: Floats
    labels: Bools
    label_times: Floats
    stories: list[str | None]

    def __len__(self) -> int:
        return len(self.times)

    def columns(self, rows: Bools) -> dict[str, Floats | list[str | None]]:
        """The chosen rows' features by name."""
        chosen = np.flatnonzero(rows)
        columns: dict[str, Floats | list[str | None]] = {name: values[chosen] for name, values in self.numeric.items()}
        for name, texts in self.categories.items():
            columns[name] = [texts[index] for index in chosen]
        return columns

    def frame(self, rows: Bools) -> pl.DataFrame:
        """The chosen rows as a data frame of features, for the rules."""
        columns = self.columns(rows)
        return pl.DataFrame(
            {
                name: pl.Series(name, values, dtype=pl.String if name in CATEGORIES else pl.Float64)
                for name, values in columns.items()
            }
        )

    def fingerprint(self) -> str:
        """SHA-256 over every value and label."""
        digest = hashlib.sha256()
        for name in NUMERIC:
            digest.update(self.numeric[name].tobytes())
        for name in CATEGORIES:
            digest.update("\0".join(value or "" for value in self.categories[name]).encode())
        for column in (self.times, self.labels, self.label_times):
            digest.update(column.tobytes())
        return digest.hexdigest()


class _Labels:
    """Confirms frauds to the profile when the stream reaches the time their label arrives."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._waiting: list[tuple[float, str, Transaction]] = []

    def expect(self, when: float, transaction: Transaction) -> None:
        heapq.heappush(self._waiting, (when, transaction.transaction_id, transaction))

    def deliver(self, now: float) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            self._profile.confirm_fraud(heapq.heappop(waiting)[2])


class _Rows:
    """Collects rows column by column."""

    def __init__(self) -> None:
        self._numeric = {name: array("d") for name in NUMERIC}
        self._categories: dict[str, list[str | None]] = {name: [] for name in CATEGORIES}
        self._times, self._labels, self._label_times = array("d"), bytearray(), array("d")
        self._stories: list[str | None] = []

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time: float, features: Features, label: bool, label_time: float | None, story: str | None) -> None:
        for name, numbers in self._numeric.items():
            value = features[name]
            numbers.append(UNKNOWN if value is None else value)  # type: ignore[arg-type]
        for name, texts in self._categories.items():
            text = features[name]
            texts.append(None if text is None else sys.intern(str(text)))
        self._times.append(time)
        self._labels.append(label)
        self._label_times.append(UNKNOWN if label_time is None else label_time)
        self._stories.append(story)

    def table(self) -> FeatureTable:
        return FeatureTable(
            {name: np.array(column) for name, column in self._numeric.items()},
            self._categories,
            np.array(self._times),
            np.frombuffer(bytes(self._labels), dtype=np.bool_),
            np.array(self._label_times),
            self._stories,
        )


class TableBuilder:
    """Transactions, logins and late labels in time order -> the table. One profile sees them as serving would have."""

    def __init__(self) -> None:
        self._profile = Profile()
        self._labels, self._rows = _Labels(self._profile), _Rows()

    def login(self, login: Login) -> None:
        """One login attempt."""
        self._profile.record_login(login)

    def transaction(
        self, transaction: Transaction, label: bool, label_time: float | None, story: str | None = None
    ) -> int:
        """One transaction. `label_time`, seconds since the epoch, is when a fraud becomes known, None: never.

        Answers with the number of rows so far.
        """
        time = transaction.time / MICROSECONDS
        self._labels.deliver(time)
        self._rows.add(time, self._profile.observe(transaction), label, label_time, story)
        if label_time is not None:
            self._labels.expect(label_time, transaction)
        return len(self._rows)

    def table(self) -> FeatureTable:
        """All rows."""
        return self._rows.table()


def build_table(events: Iterable[Event], rates: Rates, until: float, progress: Progress) -> FeatureTable:
    """Replays the events through one profile. `until` (seconds since the epoch) is only for the progress shown."""
    builder = TableBuilder()
    start: float | None = None
    for event in events:
        if isinstance(event, SimulatedLogin):
            builder.login(as_seen_login(event))
            continue
        rows = builder.transaction(as_transaction(event, rates), event.label, event.label_time, event.story)
        start = event.time if start is None else start
        if rows % REPORT_EVERY == 0:
            progress("features", min(1.0, (event.time - start) / max(1.0, until - start)))
    return builder.table()
