"""AWS Lambda entry point: runs on a schedule. What the schedule says does not matter."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Protocol

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.errors import StorageError
from functions.outbox_sweeper.bootstrap import Settings, build

RESERVE_MS = 10_000
"""For the event under way when time runs out: two attempts each at the topic and at the table, and the answer."""


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Until the invocation is cut off."""
        ...


_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_sweeper = _loop.run_until_complete(build(Settings.from_environment()))
_metrics = Metrics(namespace="Assay", service="outbox_sweeper")


def handler(_event: object, context: Context) -> dict[str, int | float]:
    """The counts of `Swept`. Raises `StorageError` when a part of the outbox could not even be read."""
    result = _loop.run_until_complete(_sweeper.sweep(lambda: context.get_remaining_time_in_millis() > RESERVE_MS))
    _metrics.add_metric(name="Swept", unit=MetricUnit.Count, value=result.swept)
    _metrics.add_metric(name="Failed", unit=MetricUnit.Count, value=result.failed)
    _metrics.add_metric(name="OldestAge", unit=MetricUnit.Seconds, value=result.oldest_s)
    _metrics.flush_metrics()
    if result.unreadable:
        raise StorageError(f"{result.unreadable} shards of the outbox could not be read")
    return asdict(result)
