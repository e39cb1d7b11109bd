"""AWS Lambda entry point: a batch of messages from the queue, a run of the schedule, or a request to the API."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.adapters.aws.queue_batches import QueueBatches
from assay.adapters.aws.schedules import Context, has_time, is_scheduled
from assay.errors import AssayError
from assay.http.on_demand import HttpOnDemand
from functions.client_events.aws import open_function
from functions.client_events.bootstrap import Settings
from functions.client_events.events import read

log = logging.getLogger(__name__)
AT_ONCE_S = 5.0
"""So long attempts are begun after a batch: the next batch should not wait. The schedule does what is left."""

_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
_function = _loop.run_until_complete(open_function(Settings.from_environment(), _opened))
_http = HttpOnDemand(_function.app, _loop)
_batches = QueueBatches("client_events", read)
_metrics = Metrics(namespace="Assay", service="client_events")


def handler(event: Any, context: Any) -> Any:  # noqa: ANN401 - any JSON may arrive, and HTTP has an answer of its own
    """A batch: records and pushes, answers with the ids of what cannot be read. The schedule: pushes what is due.

    Raises `StorageError`, and then the whole batch comes again; `RequestError` for anything else.
    """
    if _http.takes(event):
        return _http.answer(event, context)
    if is_scheduled(event):
        return {"attempts": _deliver(lambda: has_time(context))}
    if _loop.run_until_complete(_function.record(_batches.take(event))):
        _deliver_at_once(context)
    return _batches.answer()


def _deliver_at_once(context: Context) -> None:
    """What is recorded is safe: a fault here is the schedule's to make good."""
    end = time.monotonic() + AT_ONCE_S
    try:
        _deliver(lambda: time.monotonic() < end and has_time(context))
    except AssayError as error:
        log.error("events wait for the schedule: %s", error)


def _deliver(may_go_on: Callable[[], bool]) -> int:
    attempts = _loop.run_until_complete(_function.deliver(may_go_on))
    _metrics.add_metric(name="Attempts", unit=MetricUnit.Count, value=attempts)
    _metrics.flush_metrics()
    return attempts
