"""A counterparty once its labels have arrived: counts and confirmed fraud over (t - delay - w, t - delay]."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable

from assay.features.windows import DAY, LATENESS, NEVER, PRUNE_AT, drop, drop_until, put, step, within

LABEL_DELAY = 7 * DAY
"""How long it takes until a transaction's label is known: nothing younger is looked at, in training as in serving."""
WEEK, MONTH = 7 * DAY, 30 * DAY
WIDTHS = (DAY, WEEK, MONTH)
REACH = LABEL_DELAY + MONTH
RETENTION = REACH + LATENESS

Row = tuple[float | None, ...]
"""Count and fraud share over 1, 7 and 30 days, in this order: the catalogue's."""
UNKNOWN: Row = (None,) * 6


class Counterparty:
    """One counterparty's transactions and which of them were confirmed as fraud. Costs as in `windows`."""

    __slots__ = ("day", "due", "edge", "floor", "frauds", "limit", "month", "name", "times", "week")

    def __init__(self, name: str, events: Iterable[tuple[int, bool]] = (), floor: int = NEVER) -> None:
        """`events` are all that came after `floor`, in any order."""
        ordered = sorted(events)
        self.name = name
        self.times = array("q", [time for time, _ in ordered])
        self.frauds = array("q", [time for time, fraud in ordered if fraud])
        self.floor = floor
        self.limit = max(PRUNE_AT, 2 * len(ordered))
        self.edge = floor
        self.due = self.day = self.week = self.month = 0
        self._seek()

    def add(self, t: int) -> Row:
        """Count a transaction; the features at its time."""
        if t < self.edge:
            return self._add_late(t)
        times = self.times
        if len(times) >= self.limit:
            self._prune()
        self.edge = t
        times.append(t)
        until = t - LABEL_DELAY
        if times[self.due] <= until:
            self.due = step(times, self.due, until)
        if times[self.day] <= until - DAY:
            self.day = step(times, self.day, until - DAY)
        if times[self.week] <= until - WEEK:
            self.week = step(times, self.week, until - WEEK)
        if times[self.month] <= until - MONTH:
            self.month = step(times, self.month, until - MONTH)
        due = self.due
        if self.frauds:
            return self._shares(until, due - self.day, due - self.week, due - self.month)
        return float(due - self.day), 0.0, float(due - self.week), 0.0, float(due - self.month), 0.0

    def remove(self, t: int) -> None:
        """Undo `add`."""
        drop(self.times, t)
        if within(self.frauds, t - 1, t) > within(self.times, t - 1, t):
            drop(self.frauds, t)
        self._seek()

    def confirm(self, t: int) -> None:
        """The transaction at `t` was fraud. Saying so again changes nothing, nor does one that is no longer kept."""
        if within(self.frauds, t - 1, t) < within(self.times, t - 1, t):
            put(self.frauds, t)

    def clear(self, t: int) -> None:
        """The transaction at `t` was no fraud after all."""
        if within(self.frauds, t - 1, t):
            drop(self.frauds, t)

    def _shares(self, until: int, day: int, week: int, month: int) -> Row:
        frauds = self.frauds
        high = bisect_right(frauds, until)
        in_day, in_week, in_month = (high - bisect_right(frauds, until - width, 0, high) for width in WIDTHS)
        return (
            float(day),
            in_day / day if day else 0.0,
            float(week),
            in_week / week if week else 0.0,
            float(month),
            in_month / month if month else 0.0,
        )

    def _seek(self) -> None:
        times = self.times
        newest = times[-1] if times else NEVER
        until = newest - LABEL_DELAY
        self.due = bisect_right(times, until)
        self.day, self.week, self.month = (bisect_right(times, until - width) for width in WIDTHS)
        self.edge = max(newest, self.floor + REACH)

    def _add_late(self, t: int) -> Row:
        times = self.times
        horizon = max((times[-1] if times else NEVER) - RETENTION, self.floor)
        if t <= horizon:
            self.floor = max(self.floor, t)
            return UNKNOWN
        times.insert(bisect_right(times, t), t)
        self._seek()
        until = t - LABEL_DELAY
        due = bisect_right(times, until)
        row = self._shares(until, *(due - bisect_right(times, until - width) for width in WIDTHS))
        known = [until - width >= horizon for width in WIDTHS]
        return tuple(row[index] if known[index // 2] else None for index in range(6))

    def _prune(self) -> None:
        # By the newest transaction before the one that is coming: undoing that one must find all as it was.
        cutoff = self.times[-1] - RETENTION
        gone = bisect_right(self.times, cutoff)
        if gone:
            drop_until(self.times, cutoff)
            drop_until(self.frauds, cutoff)
            self.due, self.day = self.due - gone, self.day - gone
            self.week, self.month = self.week - gone, self.month - gone
            self.floor = max(self.floor, cutoff)
        self.limit = max(PRUNE_AT, 2 * len(self.times))
