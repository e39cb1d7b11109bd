"""AWS Lambda entry point: a batch of messages from the queue, recorded in one go."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from assay.errors import RequestError
from assay.ports import ScoredEvent
from functions.post_auth_intelligence.bootstrap import Settings, open_store
from functions.post_auth_intelligence.recorder import read

log = logging.getLogger(__name__)

_store = open_store(Settings.from_environment())
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
_metrics = Metrics(namespace="Assay", service="post_auth_intelligence")


def handler(event: object, _context: object) -> PartialItemFailureResponse:
    """Records what can be read; answers with the ids of the messages that cannot, which SQS brings to the dead letters.

    Raises `StorageError`, and then the whole batch comes again; `RequestError` for what is no batch of SQS messages.
    """
    with _processor(_messages(event), _read):
        outcomes = _processor.process()
    events = [result for outcome, result, _ in outcomes if outcome == "success"]
    _loop.run_until_complete(_store.record(events))
    _report(recorded=len(events), poison=len(outcomes) - len(events))
    return _processor.response()


def _messages(event: object) -> list[dict[str, Any]]:
    messages = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(messages, list) or not all(map(_is_message, messages)):
        raise RequestError("not a batch of SQS messages: Records must be a list, and each of them have a messageId")
    return messages


def _is_message(record: object) -> bool:
    """Whether a failure of this record could be reported."""
    return isinstance(record, dict) and isinstance(record.get("messageId"), str)


def _read(record: SQSRecord) -> ScoredEvent:
    try:
        return read(record.body.encode())
    except Exception as error:
        log.warning("message %s is poison: %s", record.message_id, error)
        raise


def _report(**counts: int) -> None:
    for name, count in counts.items():
        _metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    _metrics.flush_metrics()
