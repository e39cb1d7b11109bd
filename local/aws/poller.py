"""Lambda's own pollers, which `sam local` lacks: from queues and schedules to functions."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event, Semaphore, Thread
from time import monotonic
from typing import Self
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import sqs_batch
from local.aws.errors import InvokeError, LocalAwsError
from local.aws.mappings import QueueMapping, Schedule
from local.aws.resources import Client
from local.aws.template import ACCOUNT, REGION

log = logging.getLogger(__name__)
IDLE_S = 0.25
MAX_RECEIVE = 10
FINISH_S = 5.0
"""For batches under way at the end; what takes longer is delivered again."""

Invoke = Callable[[str, bytes, float], bytes]
"""Function, payload, seconds it may take -> its answer; raises `InvokeError`."""


class QueuePoller:
    """Takes batches off a queue and gives them to a function.

    What was handled is deleted. What was not becomes visible again after the queue's visibility timeout, and moves to
    its dead letters when it has been received too often: both are the queue's doing.
    """

    def __init__(self, mapping: QueueMapping, sqs: Client, invoke: Invoke) -> None:
        self._mapping = mapping
        self._sqs = sqs
        self._invoke = invoke
        self._url = sqs.get_queue_url(QueueName=mapping.queue)["QueueUrl"]
        self._free = Semaphore(mapping.concurrency)

    def run(self, stop: Event) -> None:
        """Polls until `stop` is set; batches under way are finished then."""
        with ThreadPoolExecutor(self._mapping.concurrency, self._mapping.queue) as pool:
            while not stop.is_set():
                if not self._free.acquire(timeout=IDLE_S):
                    continue
                batch = self._collect(stop)
                if batch:
                    pool.submit(self._deliver, batch).add_done_callback(self._done)
                else:
                    self._free.release()
                    stop.wait(IDLE_S)

    def _done(self, delivery: Future[None]) -> None:
        self._free.release()
        if delivery.exception() is not None:
            log.error("%s: a batch could not be settled", self._mapping.queue, exc_info=delivery.exception())

    def _collect(self, stop: Event) -> list[sqs_batch.Message]:
        """A batch: what there is now, or, with a window, until that is over or the batch is full."""
        size = self._mapping.batch_size
        messages = self._receive(size)
        closes = monotonic() + self._mapping.window_s
        while messages and len(messages) < size and monotonic() < closes and not stop.wait(IDLE_S):
            messages += self._receive(size - len(messages))
        return messages

    def _receive(self, limit: int) -> list[sqs_batch.Message]:
        # No long polling: moto takes one call at a time, a waiting one would hold up everybody.
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, MAX_RECEIVE),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (BotoCoreError, ClientError) as error:
            log.warning("%s: %s", self._mapping.queue, error)
            return []
        return list(answer.get("Messages", []))

    def _deliver(self, batch: list[sqs_batch.Message]) -> None:
        mapping = self._mapping
        payload = json.dumps(sqs_batch.event(batch, mapping.queue_arn)).encode()
        try:
            answer = self._invoke(mapping.function, payload, mapping.timeout_s)
        except InvokeError as error:
            log.warning("%s: a batch of %d failed: %s", mapping.queue, len(batch), error)
            return
        ids = [message["MessageId"] for message in batch]
        failed = sqs_batch.failed(answer, ids) if mapping.partial_failures else set()
        log.info("%s: %d messages, %d failed", mapping.queue, len(batch), len(failed))
        for handled in _tens([message for message in batch if message["MessageId"] not in failed]):
            entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(handled)]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)


class Pollers:
    """Runs every poller and schedule in a thread of its own."""

    def __init__(self, queues: Sequence[QueuePoller], schedules: Sequence[Schedule], invoke: Invoke) -> None:
        self._stop = Event()
        self._threads = [Thread(target=queue.run, args=(self._stop,), daemon=True) for queue in queues]
        self._threads += [Thread(target=run_schedule, args=(s, invoke, self._stop), daemon=True) for s in schedules]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(FINISH_S)

    def check(self) -> None:
        """Raises `LocalAwsError` when one has ended."""
        if not all(thread.is_alive() for thread in self._threads):
            raise LocalAwsError("a poller stopped; the reason is above")


def run_schedule(schedule: Schedule, invoke: Invoke, stop: Event) -> None:
    """Calls the function at its rate until `stop` is set."""
    while not stop.wait(schedule.every_s):
        try:
            invoke(schedule.function, schedule.payload or _scheduled_event(), schedule.timeout_s)
        except InvokeError as error:
            log.warning("the schedule of %s: %s", schedule.function, error)


def _scheduled_event() -> bytes:
    """What EventBridge sends when the rule gives no input of its own."""
    event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [],
        "detail": {},
    }
    return json.dumps(event).encode()


def _tens(messages: list[sqs_batch.Message]) -> Iterator[list[sqs_batch.Message]]:
    for start in range(0, len(messages), MAX_RECEIVE):
        yield messages[start : start + MAX_RECEIVE]
