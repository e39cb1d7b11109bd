"""The Lambda function's entry point: HTTP events of the API in front of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from assay.http.lambda_events import HttpEvents
from functions.users.aws import open_app
from functions.users.bootstrap import Settings

_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
handler = HttpEvents(_loop.run_until_complete(open_app(Settings.from_environment(), _opened)), _loop)
