"""AWS Lambda entry point: a batch of messages from the queue, recorded in one go; or a request to the API."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from assay.adapters.aws.queue_batches import QueueBatches
from assay.http.on_demand import HttpOnDemand
from functions.audit_log.bootstrap import Settings, open_function
from functions.audit_log.recorder import read

_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
_function = _loop.run_until_complete(open_function(Settings.from_environment(), _opened))
_log = _function.consumer()
_http = HttpOnDemand(_function.app, _loop)
_batches = QueueBatches("audit_log", read)


def handler(event: Any, context: Any) -> Any:  # noqa: ANN401 - any JSON may arrive, and HTTP has an answer of its own
    """A batch: records what can be read, answers with the ids of what cannot, which SQS brings to the dead letters.

    Raises `StorageError`, and then the whole batch comes again; `RequestError` for what is neither a batch nor HTTP.
    """
    if _http.takes(event):
        return _http.answer(event, context)
    entries = _batches.take(event)
    _loop.run_until_complete(_log.record(entries))
    return _batches.answer()
