"""How fast the simulated bank is made, and what it takes of memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, Settings
from benchmarks.timing import median, tidy
from training.simulator import Event, simulate
from training.simulator.files import write_files

CUSTOMERS = 2_600
RUNS = 5


def measure(settings: Settings) -> list[Figure]:
    """Medians over repeated runs in one process, from the first event on (the world is made before it)."""
    days = settings.pick(60, 5)
    with TemporaryDirectory() as folder:
        ways: dict[str, Callable[[Iterator[Event]], object]] = {
            "events made": lambda events: sum(1 for _ in events),
            "events made and written as Parquet": lambda events: write_files(Path(folder) / "bank.parquet", events),
        }
        return [
            Figure("simulator", what, median([_rate(run, days) for _ in range(RUNS)]), "/s", target, ">=")
            for (what, run), target in zip(ways.items(), (50_000.0, None), strict=True)
        ]


def _rate(run: Callable[[Iterator[Event]], object], days: int) -> float:
    events = simulate(7, CUSTOMERS, days)
    head = list(islice(events, 1))
    counted = _Counted(events)
    tidy()
    start = time.perf_counter()
    run(iter(counted))
    return (len(head) + counted.count) / (time.perf_counter() - start)


class _Counted:
    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self.count = 0

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            self.count += 1
            yield event
