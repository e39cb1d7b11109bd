"""AWS Lambda entry point: a batch of messages from the queue, a run of the schedule, or a request to the API."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.adapters.aws.queue_batches import QueueBatches
from assay.adapters.aws.schedules import Context, has_time, is_scheduled
from assay.errors import AssayError
from assay.http.on_demand import HttpOnDemand
from assay.release.served import KeepingUp, served_champion
from functions.action_layer.aws import open_function
from functions.action_layer.bootstrap import Settings
from functions.action_layer.events import read

log = logging.getLogger(__name__)


_settings = Settings.from_environment()
_champion = served_champion(_settings.releases)
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
_function = _loop.run_until_complete(open_function(_settings, _champion, _opened))
_http = HttpOnDemand(_function.app, _loop)
_batches = QueueBatches("action_layer", read)
_metrics = Metrics(namespace="Assay", service="action_layer")


def _answer(event: Any, context: Any) -> Any:  # noqa: ANN401 - any JSON may arrive, and HTTP has an answer of its own
    """A batch: acts on its verdicts, answers with the ids of what cannot be read. The schedule: carries out orders.

    Raises `StorageError`, and then the whole batch comes again; `RequestError` for anything else.
    """
    if _http.takes(event):
        return _http.answer(event, context)
    if is_scheduled(event):
        return _carry_out(context)
    _loop.run_until_complete(_function.layer.act(_batches.take(event)))
    answer = _batches.answer()
    _carry_out_now(context)
    return answer


def _carry_out_now(context: Context) -> None:
    """What a batch has ordered does not wait for the schedule. A fault is the schedule's: the batch is done."""
    try:
        _carry_out(context)
    except AssayError as error:
        log.warning("orders wait for the schedule: %s", error)


def _carry_out(context: Context) -> dict[str, int]:
    carrying_out = _function.delivery.run(lambda: has_time(context))
    attempts = _loop.run_until_complete(carrying_out)
    _metrics.add_metric(name="Attempts", unit=MetricUnit.Count, value=attempts)
    _metrics.flush_metrics()
    return {"attempts": attempts}


handler = KeepingUp(_champion, _answer)
