"""AWS Lambda entry point: runs on a schedule."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.adapters.aws.schedules import is_scheduled
from assay.errors import RequestError
from assay.release.served import served_champion
from functions.intelligence.aws import open_function
from functions.intelligence.bootstrap import Settings

_settings = Settings.from_environment()
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
_function = _loop.run_until_complete(open_function(_settings, served_champion(_settings.releases), _opened))
_metrics = Metrics(namespace="Assay", service="intelligence")


def handler(event: Any, _context: object) -> dict[str, bool]:  # noqa: ANN401 - any JSON may arrive
    """Looks for drift and patterns, once a step of the policy; which of the reports are new.

    Raises `StorageError`, `ReleaseError` or `PolicyError`, and then the next run makes up for it; `RequestError` for
    what is no run of the schedule.
    """
    if not is_scheduled(event):
        raise RequestError("not a run of the schedule")
    found = _loop.run_until_complete(_function.look())
    _metrics.add_metric(name="Looks", unit=MetricUnit.Count, value=1)
    _metrics.flush_metrics()
    return found
