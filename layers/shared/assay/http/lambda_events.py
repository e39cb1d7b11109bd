"""HTTP as Lambda brings it: an event in (HTTP API, REST API or function URL), the app's answer out."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.types import ASGI, LambdaContext
from starlette.types import ASGIApp, Receive, Scope, Send

from assay.errors import RequestError
from assay.http.application import TIME_LEFT_S
from assay.problems import MEDIA_TYPE, Problem

log = logging.getLogger(__name__)
RESERVE_S = 0.5
"""For the commit and the answer, of the time that Lambda leaves."""

# Mangum notes every path, and a path may hold anything that a caller takes for an id, a card number too.
logging.getLogger("mangum.http").setLevel(logging.WARNING)


class HttpEvents:
    """Serves an ASGI app to Lambda, on one event loop: its clients belong to that loop and outlive an invocation."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        asyncio.set_event_loop(loop)
        text = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE]  # anything else is answered as base64, which REST APIs pass on
        self._adapter = Mangum(_timed(app), lifespan="off", text_mime_types=text)

    def __call__(self, event: Any, context: LambdaContext) -> dict[str, Any]:  # noqa: ANN401 - any JSON may arrive
        """The answer, in the format of the event; 400 when it cannot be read. `RequestError`: not an HTTP event."""
        if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
            raise RequestError("Not an HTTP event: it has no requestContext")
        asyncio.set_event_loop(self._loop)
        # While the process was frozen, servers have closed connections. Told so now, before one is used again: a
        # request that is sent into a closed connection is lost, and is not sent twice.
        self._loop.run_until_complete(asyncio.sleep(0))
        try:
            return self._adapter(_without_stage(event), context)
        except Exception as error:  # of Mangum's reading: what the app raises has become an answer already
            log.warning("an HTTP event that cannot be read: %s", type(error).__name__)
            return _refused(Problem(400, "malformed_event", "The request cannot be read"))


def _timed(app: ASGIApp) -> ASGI:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        scope[TIME_LEFT_S] = scope["aws.context"].get_remaining_time_in_millis() / 1000 - RESERVE_S
        await app(scope, receive, send)

    return run


def _without_stage(event: dict[str, Any]) -> dict[str, Any]:
    """An HTTP API with a named stage puts its name before the path, in either format; a REST API does not."""
    context = event["requestContext"]
    prefix = f"/{context.get('stage')}/"
    if "version" not in event:
        return event
    if event["version"] != "2.0":
        return {**event, "path": _after(prefix, event["path"])}
    http = {**context["http"], "path": _after(prefix, context["http"]["path"])}
    return {**event, "requestContext": {**context, "http": http}}


def _after(prefix: str, path: str) -> str:
    return path[len(prefix) - 1 :] if path.startswith(prefix) else path


def _refused(problem: Problem) -> dict[str, Any]:
    return {
        "statusCode": problem.status,
        "headers": {"content-type": MEDIA_TYPE},
        "body": problem.to_json().decode(),
        "isBase64Encoded": False,
    }
