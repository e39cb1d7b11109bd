"""Windows over one entity's events, kept in time order: (t - width, t] at any t, early or late.

In order, an event costs the same whatever came before: an append, and one step of the window's head. A late event is
inserted where it belongs and answered from the state of the newest one by what differs between the two, so its cost is
in proportion to the events it is late by (never more than the events kept).

Kept are the width and LATENESS more. An answer that would need older events is None (unknown), never a count of what
happens to be left. Whether it is depends on the events' times alone, not on when memory was pruned or reloaded.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LATENESS = 7 * DAY
"""How late an event may come and still find its longest window complete."""
NEVER = -(1 << 62)
"""Before every time."""
NEAR = 16
PRUNE_AT = 64
"""Pruning waits until an entity has this many events, then until they have doubled: constant cost per event."""


def give(counts: dict[str, int], key: str | None) -> None:
    """Count a key once more; None is not a key."""
    if key is not None:
        counts[key] = counts.get(key, 0) + 1


def take(counts: dict[str, int], key: str | None) -> None:
    """Count a key once less; a key that is not there any more is not counted."""
    if key is not None:
        left = counts[key] - 1
        if left:
            counts[key] = left
        else:
            del counts[key]


def step(times: array[int], head: int, cutoff: int) -> int:
    """The first index after `head` whose time is past `cutoff`, which `head` itself is not but the last time is.

    One came, one goes, nearly always; looking near first keeps that from depending on how many there are.
    """
    head += 1
    if times[head] > cutoff:
        return head
    near = head + NEAR
    return bisect_right(times, cutoff, head, near if near < len(times) and times[near] > cutoff else len(times))


def turn(keys: Sequence[str | None], counts: dict[str, int], head: int, new: int) -> None:
    """Count the newest key in and keys[head:new], if any, out. Mostly one goes, and mostly of the same kind."""
    key = keys[-1]
    if new == head + 1:
        gone = keys[head]
        if gone == key:
            return
        take(counts, gone)
    if key is not None:
        counts[key] = counts.get(key, 0) + 1
    if new > head + 1:
        leave(keys, counts, head, new)


def leave(keys: Sequence[str | None], counts: dict[str, int], head: int, new: int) -> None:
    """Turn the counts of keys[head:] into those of keys[new:], at the smaller cost of what leaves and what stays."""
    if new - head <= len(keys) - new:
        for index in range(head, new):
            take(counts, keys[index])
    else:
        counts.clear()
        for index in range(new, len(keys)):
            give(counts, keys[index])


def distinct(keys: Sequence[str | None], counts: dict[str, int], head: int, low: int, high: int) -> int:
    """Distinct keys in keys[low:high], where `counts` are those of keys[head:] and low <= head.

    Costs the smaller of the slice and of what differs between the two.
    """
    if high - low <= (head - low) + (len(keys) - high):
        found = set(keys[low:high])
        found.discard(None)
        return len(found)
    change: dict[str, int] = {}
    for key in keys[low:head]:
        if key is not None:
            change[key] = change.get(key, 0) + 1
    for key in keys[high:]:
        if key is not None:
            change[key] = change.get(key, 0) - 1
    total = len(counts)
    for key, by in change.items():
        before = counts.get(key, 0)
        total += (before + by > 0) - (before > 0)
    return total


def drop(times: array[int], t: int) -> None:
    """Take one `t` out of a sorted column, if it is there."""
    index = bisect_left(times, t)
    if index < len(times) and times[index] == t:
        del times[index]


def drop_until(times: array[int], cutoff: int) -> None:
    """Take everything up to `cutoff` out of a sorted column."""
    del times[: bisect_right(times, cutoff)]


def within(times: array[int], after: int, until: int) -> int:
    """How many of a sorted column lie in (after, until]."""
    if not times or times[-1] <= after:
        return 0
    return bisect_right(times, until) - bisect_right(times, after)


def put(times: array[int], t: int) -> None:
    """Add `t` to a sorted column."""
    if not times or t >= times[-1]:
        times.append(t)
    else:
        insort(times, t)
