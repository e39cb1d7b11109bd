"""HTTP events for a function that also does other work: what that work brings does not wait for what HTTP needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any

Json = Any
"""Whatever Lambda was invoked with, and what it answers."""


class HttpOnDemand:
    """`HttpEvents` over an app that is imported and opened with the first request."""

    def __init__(self, app: Callable[[], Coroutine[Any, Any, Any]], loop: asyncio.AbstractEventLoop) -> None:
        """`app` gives the ASGI application."""
        self._app = app
        self._loop = loop

    def takes(self, event: Json) -> bool:
        """Whether it is an HTTP event."""
        return isinstance(event, dict) and isinstance(event.get("requestContext"), dict)

    def answer(self, event: Json, context: Json) -> Json:
        """As `HttpEvents`. Raises what the app raises when it cannot be opened; the next request tries again."""
        return self._events(event, context)

    @cached_property
    def _events(self) -> Callable[[Json, Json], Json]:
        from assay.http.lambda_events import HttpEvents

        return HttpEvents(self._loop.run_until_complete(self._app()), self._loop)
