"""What every HTTP function of Assay shares: plain routes, and RFC 9457 problems for everything that goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from assay.problems import MEDIA_TYPE, Problem, unavailable

log = logging.getLogger(__name__)
JSON = "application/json"
TIME_LEFT_S = "assay.time_left_s"
"""In a request's scope: the seconds its process may still work on it. Absent: as long as it likes."""


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """The ASGI application. `lifespan` is left to whoever runs it.

    Plain routes: they parse by themselves, and a framework that does would cost a tenth of a verdict, and a cold
    start 0.3 s.
    """
    handlers = {Problem: _on_problem, HTTPException: _on_http_exception, Exception: _on_fault}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect would be built from the caller's Host header
    return app


def _answer(problem: Problem) -> Response:
    return Response(problem.to_json(), problem.status, problem.headers, MEDIA_TYPE)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - what it is registered for
    return _answer(error)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    problem = Problem(error.status_code, "http", str(error.detail), headers=dict(error.headers or {}))
    return _answer(problem)


async def _on_fault(_: Request, error: Exception) -> Response:
    log.error("unexpected fault", exc_info=error)
    return _answer(unavailable("internal", "An unexpected fault; it is logged"))
