"""The Lambda function's entry point: HTTP events of the API in front of it, or of a function URL."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from assay.http.lambda_events import HttpEvents
from assay.release.registry import served_release
from functions.orchestrator.bootstrap import Settings, build

_settings = Settings.from_environment()
_release = served_release(_settings.releases)
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
handler = HttpEvents(_loop.run_until_complete(build(_settings, _release, _opened)), _loop)
