"""AWS Lambda entry point: a run of the schedule, or a person who asks for one: `{"if_needed": false}` trains now."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit
from pydantic import ValidationError

from assay.adapters.aws.schedules import Context, is_scheduled
from assay.errors import RequestError
from assay.schemas.base import Contract
from functions.trainer.bootstrap import Settings

if TYPE_CHECKING:
    from training.work import Progress

TOLD = {"at", "outcome", "reasons", "champion", "triggers", "version", "golden_sha256"}
RESERVE_MS = 240_000
"""For what follows the training: the gate, and the challenger in the shadow."""
_settings = Settings.from_environment()
_loop = asyncio.new_event_loop()
_metrics = Metrics(namespace="Assay", service="trainer")


class Asked(Contract):
    """What a person may send."""

    if_needed: bool
    """Whether it trains only when something calls for it, as the schedule does."""


def handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 - any JSON may arrive
    """What came of it, without the figures of the gate: those are in the report.

    Raises `RequestError` for anything else, `AssayError` for an installation that is not in order.
    """
    if_needed = True if is_scheduled(event) else _asked(event).if_needed
    found = _retrain(if_needed, context)
    _metrics.add_metric(name="Runs", unit=MetricUnit.Count, value=1)
    _metrics.flush_metrics()
    return found


def _asked(event: Any) -> Asked:  # noqa: ANN401
    try:
        return Asked.model_validate(event)
    except ValidationError:
        raise RequestError('neither a run of the schedule nor {"if_needed": true or false}') from None


def _retrain(if_needed: bool, context: Context) -> dict[str, Any]:
    # What trains takes seconds to load, more than a cold start may.
    from functions.trainer.opening import open_installation
    from functions.trainer.run import Retrainer

    undo = AsyncExitStack()
    try:
        installation = _loop.run_until_complete(open_installation(_settings, undo))
        installation.tell_again()
        report = Retrainer(installation, progress=_in_time(context)).run(if_needed)
    finally:
        _loop.run_until_complete(undo.aclose())
    return report.model_dump(mode="json", include=TOLD)


def _in_time(context: Context) -> Progress:
    """Ends a training that would be cut off: it is reported, and not begun anew each hour."""
    from functions.trainer.run import OutOfTime

    def check(step: str, _share: float) -> None:
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            raise OutOfTime(f"no time for {step}: too much history for a run; see history_days of the policy")

    return check
