"""AWS Lambda entry point: a batch of messages from the queue, recorded in one go."""

from __future__ import annotations

import asyncio

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from assay.adapters.aws.queue_batches import QueueBatches
from functions.post_auth_intelligence.bootstrap import Settings, open_store
from functions.post_auth_intelligence.recorder import read

_store = open_store(Settings.from_environment())
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_batches = QueueBatches("post_auth_intelligence", read)


def handler(event: object, _context: object) -> PartialItemFailureResponse:
    """Records what can be read; answers with the ids of the messages that cannot, which SQS brings to the dead letters.

    Raises `StorageError`, and then the whole batch comes again; `RequestError` for what is no batch of SQS messages.
    """
    events = _batches.take(event)
    _loop.run_until_complete(_store.record(events))
    return _batches.answer()
