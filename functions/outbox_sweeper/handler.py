"""AWS Lambda entry point: runs on a schedule. What the schedule says does not matter."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.adapters.aws.schedules import Context, has_time
from assay.errors import StorageError
from functions.outbox_sweeper.bootstrap import Settings, build

_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_sweeper = _loop.run_until_complete(build(Settings.from_environment()))
_metrics = Metrics(namespace="Assay", service="outbox_sweeper")


def handler(_event: object, context: Context) -> dict[str, int | float]:
    """The counts of `Swept`. Raises `StorageError` when a part of the outbox could not even be read."""
    result = _loop.run_until_complete(_sweeper.sweep(partial(has_time, context)))
    _metrics.add_metric(name="Swept", unit=MetricUnit.Count, value=result.swept)
    _metrics.add_metric(name="Failed", unit=MetricUnit.Count, value=result.failed)
    _metrics.add_metric(name="OldestAge", unit=MetricUnit.Seconds, value=result.oldest_s)
    _metrics.flush_metrics()
    if result.unreadable:
        raise StorageError(f"{result.unreadable} shards of the outbox could not be read")
    return asdict(result)
