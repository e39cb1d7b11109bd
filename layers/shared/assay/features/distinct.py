"""Distinct keys an entity was seen with: accounts of a device, accounts of an address."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from assay.features.windows import LATENESS, NEVER, PRUNE_AT, distinct, give, leave, step, take, turn


class DistinctWindow:
    """How many different keys an entity was seen with over (t - width, t]."""

    __slots__ = ("counts", "edge", "floor", "head", "keys", "limit", "times", "width")

    def __init__(self, width: int, events: Iterable[tuple[int, str]] = (), floor: int = NEVER) -> None:
        """`events` are all that came after `floor`, in any order."""
        ordered = sorted(events)
        self.width = width
        self.times = array("q", [time for time, _ in ordered])
        self.keys = [key for _, key in ordered]
        self.edge = self.floor = floor
        self.limit = max(PRUNE_AT, 2 * len(ordered))
        self.counts: dict[str, int] = {}
        self.head = len(ordered)
        self._move_back()

    def add(self, t: int, key: str) -> float | None:
        """Count the event; distinct keys at its time, this one included. None: too late to know."""
        if t < self.edge:
            return self._add_late(t, key)
        times, counts = self.times, self.counts
        if len(times) >= self.limit:
            self._prune()
        self.edge = t
        times.append(t)
        self.keys.append(key)
        head = new = self.head
        if times[head] <= t - self.width:
            self.head = new = step(times, head, t - self.width)
        turn(self.keys, counts, head, new)
        return float(len(counts))

    def remove(self, t: int, key: str) -> None:
        """Undo `add`. An event that is no longer kept is no longer counted either."""
        times, keys = self.times, self.keys
        for index in range(bisect_left(times, t), bisect_right(times, t)):
            if keys[index] == key:
                break
        else:
            return
        del times[index], keys[index]
        if index < self.head:
            self.head -= 1
        else:
            take(self.counts, key)
        self._move_back()

    def first(self, key: str) -> int | None:
        """Time of the earliest event with this key that is kept."""
        return self.times[self.keys.index(key)] if key in self.keys else None

    def _move_back(self) -> None:
        """Bring head, counts and edge back to the newest event, after a newer one is gone."""
        times = self.times
        newest = times[-1] if times else NEVER
        head = bisect_right(times, newest - self.width)
        for key in self.keys[head : self.head]:
            give(self.counts, key)
        self.head = head
        self.edge = max(newest, self.floor + self.width)

    def _add_late(self, t: int, key: str) -> float | None:
        times, keys = self.times, self.keys
        newest = times[-1] if times else NEVER
        horizon = max(newest - self.width - LATENESS, self.floor)
        if t <= horizon:
            self.floor = max(self.floor, t)
            return None
        index = bisect_right(times, t)
        times.insert(index, t)
        keys.insert(index, key)
        if t > newest - self.width:
            give(self.counts, key)
        else:
            self.head += 1
        if t > newest:
            head = bisect_right(times, t - self.width)
            leave(keys, self.counts, self.head, head)
            self.head, self.edge = head, max(t, self.floor + self.width)
        if t - self.width < horizon:
            return None
        low = bisect_right(times, t - self.width)
        return float(distinct(keys, self.counts, self.head, low, index + 1))

    def _prune(self) -> None:
        # By the newest event before the one that is coming: undoing that one must find all as it was.
        cutoff = self.times[-1] - self.width - LATENESS
        gone = bisect_right(self.times, cutoff)
        if gone:
            del self.times[:gone], self.keys[:gone]
            self.head -= gone
            self.floor = max(self.floor, cutoff)
        self.limit = max(PRUNE_AT, 2 * len(self.times))
