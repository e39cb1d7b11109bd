"""Lambda functions as their callers meet them: the Invoke API and function URLs, on a port of this process."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LambdaHandler = Callable[[Any, Any], Any]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""What happens instead of the function's run."""


@dataclass(slots=True)
class StageHost:
    """Runs functions by their handlers. `fault` is what is wrong with a function now."""

    functions: dict[str, LambdaHandler]
    url: str = ""
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    """Requests that arrived, by function."""
    last: web.Request | None = None
    last_body: bytes = b""

    def url_of(self, name: str) -> str:
        """The function's URL."""
        return f"{self.url}/url/{name}/"

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """`Invoke`, as the service answers it."""
        body = await self._arrived(request)
        name = request.match_info["name"]
        if name in self.faults:
            return await self.faults[name](request)
        if name not in self.functions:
            return refusal(404, "ResourceNotFoundException", f"Function not found: {name}")
        try:
            answer = self.functions[name](json.loads(body), None)
        except Exception as error:
            return function_error(type(error).__name__, str(error))
        return web.json_response(answer)

    async def post_url(self, request: web.Request) -> web.StreamResponse:
        """A function URL: the request as an event of payload format 2.0, the answer as the function shaped it."""
        body = await self._arrived(request)
        name = request.match_info["name"]
        if name in self.faults:
            return await self.faults[name](request)
        try:
            answer = self.functions[name](_event(request, body), None)
        except Exception:
            return web.Response(status=502, text="Internal Server Error")
        content = answer.get("body", "")
        content = base64.b64decode(content) if answer.get("isBase64Encoded") else content.encode()
        return web.Response(status=answer["statusCode"], headers=answer["headers"], body=content)

    async def _arrived(self, request: web.Request) -> bytes:
        self.last, self.last_body = request, await request.read()
        self.asked[request.match_info["name"]] += 1
        return self.last_body


def function_error(kind: str, message: str) -> web.Response:
    """What `Invoke` answers when the function raised."""
    document = {"errorType": kind, "errorMessage": message, "stackTrace": []}
    return web.json_response(document, headers={"X-Amz-Function-Error": "Unhandled"})


def refusal(status: int, code: str, message: str = "") -> web.Response:
    """What `Invoke` answers when the function was not run."""
    return web.json_response({"Message": message}, status=status, headers={"X-Amzn-ErrorType": code})


def _event(request: web.Request, body: bytes) -> dict[str, Any]:
    http = {"method": request.method, "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": ""}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "requestContext": {"http": http, "stage": "$default", "requestId": "r", "domainName": "localhost"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@asynccontextmanager
async def running(functions: dict[str, LambdaHandler]) -> AsyncIterator[StageHost]:
    """The host, in this event loop."""
    host = StageHost(functions)
    app = web.Application()
    app.router.add_post("/2015-03-31/functions/{name}/invocations", host.invoke)
    app.router.add_post("/url/{name}/", host.post_url)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield host
    finally:
        await runner.cleanup()


def saying(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Fault:
    """It answers this."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, content_type=kind, headers=headers)

    return answer


def refusing(status: int, code: str) -> Fault:
    """The Lambda service refuses to run it."""

    async def answer(_: web.Request) -> web.Response:
        return refusal(status, code)

    return answer


async def raising(_: web.Request) -> web.Response:
    """It was run, and raised."""
    return function_error("RuntimeError", "broken")


async def silent(_: web.Request) -> web.Response:
    """It never answers."""
    await asyncio.Event().wait()
    raise AssertionError


async def hanging_up(request: web.Request) -> web.Response:
    """The connection ends instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    """The connection ends in the middle of an answer."""
    answer = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"fraud_score": 0.')
    assert request.transport is not None
    request.transport.close()
    return answer
