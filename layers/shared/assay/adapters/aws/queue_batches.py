"""Batches of messages as Lambda brings them from SQS: read one by one, so that a bad one fails alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from assay.errors import RequestError

log = logging.getLogger(__name__)
Item = TypeVar("Item")


class QueueBatches(Generic[Item]):
    """Of one consumer. One batch at a time: `take` it, do the work, `answer`."""

    def __init__(self, service: str, read: Callable[[bytes], Item]) -> None:
        """`service`: the consumer's name, in its metrics. `read` raises for a body that is poison."""
        self._read_body = read
        self._processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        self._metrics = Metrics(namespace="Assay", service=service)
        self._counts: dict[str, int] = {}

    def take(self, event: object) -> list[Item]:
        """What can be read of the batch. Raises `RequestError` for what is no batch of SQS messages."""
        with self._processor(_messages(event), self._read):
            outcomes = self._processor.process()
        items: list[Item] = [result for outcome, result, _ in outcomes if outcome == "success"]
        self._counts = {"recorded": len(items), "poison": len(outcomes) - len(items)}
        return items

    def answer(self) -> PartialItemFailureResponse:
        """The ids of the messages that could not be read: SQS brings those to the dead letters. Counts both kinds."""
        for name, count in self._counts.items():
            self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
        self._metrics.flush_metrics()
        return self._processor.response()

    def _read(self, record: SQSRecord) -> Item:
        try:
            return self._read_body(record.body.encode())
        except Exception as error:
            log.warning("message %s is poison: %s", record.message_id, error)
            raise


def _messages(event: object) -> list[dict[str, Any]]:
    messages = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(messages, list) or not all(map(_is_message, messages)):
        raise RequestError("not a batch of SQS messages: Records must be a list, and each of them have a messageId")
    return messages


def _is_message(record: object) -> bool:
    """Whether a failure of this record could be reported."""
    return isinstance(record, dict) and isinstance(record.get("messageId"), str)
