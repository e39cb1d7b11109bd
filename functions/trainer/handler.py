"""AWS Lambda entry point: a run of the schedule, or a person who asks for something (`functions.trainer.asked`)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from assay.adapters.aws.schedules import Context
from functions.trainer.asked import Golden, Shadow, Training, asked
from functions.trainer.bootstrap import Settings

if TYPE_CHECKING:
    from functions.trainer.aws import OnAws
    from training.work import Progress

TOLD = {"at", "outcome", "reasons", "champion", "triggers", "version", "golden_sha256"}
RESERVE_MS = 240_000
"""For what follows the training: the gate, and the challenger in the shadow."""
_settings = Settings.from_environment()
_loop = asyncio.new_event_loop()
_metrics = Metrics(namespace="Assay", service="trainer")


def handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 - any JSON may arrive
    """What came of it; of a training without the figures of the gate, which are in the report.

    Raises `RequestError` for anything else, `AssayError` for an installation that is not in order.
    """
    wanted = asked(event)
    from functions.trainer.opening import open_installation  # what trains takes longer to load than a cold start may

    undo = AsyncExitStack()
    try:
        installation = _loop.run_until_complete(open_installation(_settings, undo))
        installation.tell_again()
        return _carried_out(wanted, installation, context)
    finally:
        _loop.run_until_complete(undo.aclose())


def _carried_out(wanted: Training | Shadow | Golden, installation: OnAws, context: Context) -> dict[str, Any]:
    from functions.trainer.golden import freeze_history
    from functions.trainer.run import Retrainer

    if isinstance(wanted, Golden):
        own = wanted.golden
        return {"golden_sha256": freeze_history(installation, own.end, own.days, replace=own.replace).sha256}
    retrainer = Retrainer(installation, progress=_in_time(context))
    if isinstance(wanted, Shadow):
        compared = retrainer.shadow()
        return {"shadow": None if compared is None else compared.model_dump(mode="json")}
    report = retrainer.run(wanted.if_needed)
    _metrics.add_metric(name="Runs", unit=MetricUnit.Count, value=1)
    _metrics.flush_metrics()
    return report.model_dump(mode="json", include=TOLD)


def _in_time(context: Context) -> Progress:
    """Ends a training that would be cut off: it is reported, and not begun anew each hour."""
    from functions.trainer.run import OutOfTime

    def check(step: str, _share: float) -> None:
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            raise OutOfTime(f"no time for {step}: too much history for a run; see history_days of the policy")

    return check
