"""What the template says calls a function without being asked: queues and schedules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.aws.errors import TemplateError
from local.aws.template import Lookup, Template

DEFAULT_TIMEOUT_S = 3.0
_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


@dataclass(frozen=True, slots=True)
class QueueMapping:
    """A queue whose messages go to a function in batches."""

    function: str
    queue_arn: str
    timeout_s: float
    """The function's."""
    batch_size: int
    window_s: float
    """How long a batch may wait to become full."""
    concurrency: int
    """How many batches may be under way at once."""
    partial_failures: bool
    """The function's answer names the messages that failed; without this it takes or fails a batch whole."""

    @property
    def queue(self) -> str:
        """Name of the queue."""
        return self.queue_arn.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function that is called every so often."""

    function: str
    timeout_s: float
    every_s: int
    payload: bytes
    """JSON; empty when the rule gives none."""


def queue_mappings(template: Template, lookup: Lookup) -> list[QueueMapping]:
    """The SQS events of SAM functions and the event source mappings of queues that exist and are enabled."""
    found = []
    for function, _, properties in _events(template, lookup, "SQS"):
        if properties.get("Enabled", True):
            found.append(_queue_mapping(template, function, properties["Queue"], properties))
    for declared in template.of_type("AWS::Lambda::EventSourceMapping").values():
        properties = template.resolve(declared, lookup)
        if properties.get("Enabled", True):
            found.append(_queue_mapping(template, properties["FunctionName"], properties["EventSourceArn"], properties))
    return found


def schedules(template: Template, lookup: Lookup) -> list[Schedule]:
    """The schedules of SAM functions. Only rates: `TemplateError` for anything else."""
    found = []
    for function, event, properties in _events(template, lookup, "Schedule", "ScheduleV2"):
        expression = properties.get("Schedule", properties.get("ScheduleExpression", ""))
        rate = _RATE.fullmatch(expression)
        if rate is None:
            raise TemplateError(f"{function}.{event}: {expression!r} is not a rate")
        every_s = int(rate[1]) * _SECONDS[rate[2]]
        found.append(Schedule(function, _timeout(template, function), every_s, properties.get("Input", "").encode()))
    return found


def _events(template: Template, lookup: Lookup, *types: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for function, declared in template.functions().items():
        for name, event in declared.get("Events", {}).items():
            if event["Type"] in types:
                yield function, name, template.resolve(event.get("Properties", {}), lookup)


def _queue_mapping(template: Template, function: str, arn: str, properties: Mapping[str, Any]) -> QueueMapping:
    if "FilterCriteria" in properties:
        raise TemplateError(f"{function}: FilterCriteria of a queue are not understood here")
    return QueueMapping(
        function,
        arn,
        _timeout(template, function),
        batch_size=int(properties.get("BatchSize", 10)),
        window_s=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        concurrency=int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 2)),
        partial_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
    )


def _timeout(template: Template, function: str) -> float:
    return float(template.functions()[function].get("Timeout", DEFAULT_TIMEOUT_S))
