"""The Lambda function's entry point: HTTP events of the API in front of it, or of a function URL."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from assay.http.lambda_events import HttpEvents
from assay.release.served import KeepingUp, served_champion
from functions.orchestrator.bootstrap import Settings, build

_settings = Settings.from_environment()
_champion = served_champion(_settings.releases)
_loop = asyncio.new_event_loop()  # the process's one loop: clients that belong to it outlive an invocation
_opened = AsyncExitStack()  # never closed: what is open ends with the process
handler = KeepingUp(_champion, HttpEvents(_loop.run_until_complete(build(_settings, _champion, _opened)), _loop))
