"""AWS Lambda entry point: a batch of messages from the queue, a run of the schedule, or a request to the API."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.adapters.aws.queue_batches import QueueBatches
from assay.adapters.aws.schedules import Context, has_time, is_scheduled
from assay.challenges.scored import read_asked
from assay.http.on_demand import HttpOnDemand
from assay.release.served import KeepingUp, served_champion
from functions.challenges.aws import open_function
from functions.challenges.bootstrap import Settings

_settings = Settings.from_environment()
_champion = served_champion(_settings.releases)
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
_function = _loop.run_until_complete(open_function(_settings, _champion, _opened))
_http = HttpOnDemand(_function.app, _loop)
_batches = QueueBatches("challenges", read_asked)
_metrics = Metrics(namespace="Assay", service="challenges")


def _answer(event: Any, context: Any) -> Any:  # noqa: ANN401 - any JSON may arrive, and HTTP has an answer of its own
    """A batch: begins the challenges, answers with the ids of what cannot be read. The schedule: ends what is overdue.

    Raises `StorageError`, and then the whole batch comes again; `RequestError` for anything else.
    """
    if _http.takes(event):
        return _http.answer(event, context)
    if is_scheduled(event):
        return _sweep(context)
    _loop.run_until_complete(_function.open(_batches.take(event)))
    return _batches.answer()


def _sweep(context: Context) -> dict[str, int]:
    sweeping = _function.sweep(lambda: has_time(context))
    attempts = _loop.run_until_complete(sweeping)
    _metrics.add_metric(name="Attempts", unit=MetricUnit.Count, value=attempts)
    _metrics.flush_metrics()
    return {"attempts": attempts}


handler = KeepingUp(_champion, _answer)
