"""Routes of one path with several methods, and what all handlers of a function have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.errors import StorageError
from assay.problems import unavailable

Handler = Callable[[Request], Awaitable[Response]]


def routes_of(handlers: Mapping[str, Mapping[str, Handler]], storage_down: str) -> list[Route]:
    """Routes by path and method. `storage_down`: the detail of the 503 that `StorageError` becomes."""
    return [Route(path, _by_method(methods, storage_down), methods=list(methods)) for path, methods in handlers.items()]


def _by_method(handlers: Mapping[str, Handler], storage_down: str) -> Handler:
    """One route for each path, which is what names the methods allowed to a request with another."""

    async def handle(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        try:
            return await handlers[method](request)
        except StorageError as error:
            raise unavailable("storage", storage_down) from error

    return handle
