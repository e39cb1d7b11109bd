"""Labels as a stream of their own: what the bank learns, at the moment it learns it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from training.simulator.events import Event, SimulatedTransaction


@dataclass(slots=True)
class SimulatedLabel:
    """A fraud becomes known at `time`, whole seconds since the epoch. Frauds that nobody reports have none."""

    transaction_id: str
    time: int


def with_labels(events: Iterable[Event]) -> Iterator[Event | SimulatedLabel]:
    """The events with the labels among them, all in time order; labels due after the last event come at the end."""
    waiting: list[tuple[int, str]] = []
    for event in events:
        while waiting and waiting[0][0] <= event.time:
            yield _next(waiting)
        yield event
        if isinstance(event, SimulatedTransaction) and event.label_time is not None:
            heappush(waiting, (event.label_time, event.transaction_id))
    while waiting:
        yield _next(waiting)


def _next(waiting: list[tuple[int, str]]) -> SimulatedLabel:
    time, transaction = heappop(waiting)
    return SimulatedLabel(transaction, time)
