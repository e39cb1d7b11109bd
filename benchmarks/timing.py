"""Clocks and medians."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter_ns
from typing import TypeVar

Item = TypeVar("Item")


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` in 0..1. NaN for no values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def median(values: Sequence[float]) -> float:
    """The 50th percentile."""
    return percentile(values, 0.5)


def timed(call: Callable[[Item], object], items: Iterable[Item]) -> list[float]:
    """Microseconds of `call(item)` for each item, with the garbage collector left on: a server has it on too."""
    spent: list[float] = []
    for item in items:
        start = perf_counter_ns()
        call(item)
        spent.append((perf_counter_ns() - start) / 1000)
    return spent


def tidy() -> None:
    """Leave no garbage of an earlier measurement to be collected in this one."""
    gc.collect()
