"""AWS Lambda entry point: a batch of messages from the queue, or a request to the API."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from assay.adapters.aws.queue_batches import QueueBatches
from assay.http.on_demand import HttpOnDemand
from assay.release.served import KeepingUp, served_champion
from functions.post_auth_intelligence.aws import open_function
from functions.post_auth_intelligence.bootstrap import Settings
from functions.post_auth_intelligence.events import read

_settings = Settings.from_environment()
_champion = served_champion(_settings.releases)
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
_function = _loop.run_until_complete(open_function(_settings, _champion, _opened))
_http = HttpOnDemand(_function.app, _loop)
_batches = QueueBatches("post_auth_intelligence", read)


def _answer(event: Any, context: Any) -> Any:  # noqa: ANN401 - any JSON may arrive, and HTTP has an answer of its own
    """A batch: records what it tells, answers with the ids of what cannot be read.

    Raises `StorageError`, and then the whole batch comes again; `RequestError` for anything else.
    """
    if _http.takes(event):
        return _http.answer(event, context)
    _loop.run_until_complete(_function.take(_batches.take(event)))
    return _batches.answer()


handler = KeepingUp(_champion, _answer)
