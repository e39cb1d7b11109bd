"""The public HTTP API. Parses, calls the pipeline, replies; every error is an RFC 9457 problem."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from math import inf

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from assay.errors import StorageError
from assay.features.rates import Rates
from assay.ports import ProfileStore
from assay.problems import MEDIA_TYPE, Problem, unavailable
from assay.schemas.strict_json import MAX_BODY
from assay.security import TokenVerifier
from functions.orchestrator import openapi
from functions.orchestrator.intake import read_address, read_login, read_transaction
from functions.orchestrator.pipeline import Pipeline

log = logging.getLogger(__name__)
JSON = "application/json"
MAX_UNDER_WAY = 128
TIME_LEFT_S = "assay.time_left_s"
"""In a request's scope: the seconds its process may still work on it. Absent: as long as it likes."""

Readiness = Callable[[], Awaitable[dict[str, str]]]
"""Says what is wrong, part by part; empty when everything is as it should be."""


@dataclass(slots=True)
class Api:
    """What the routes work with."""

    pipeline: Pipeline
    profile: ProfileStore
    verifier: TokenVerifier
    rates: Rates
    readiness: Readiness
    notes: Mapping[str, str] = field(default_factory=dict)
    """What verdicts do without from the start, part by part; `/ready` says it, and that it is ready."""
    under_way: int = 0
    """Requests being scored; more than `MAX_UNDER_WAY` are refused at once rather than served late."""

    async def score(self, request: Request) -> Response:
        """`POST /score`."""
        principal = self.verifier.authenticate(request.headers.get("authorization"), "score:write")
        body = await _body(request)  # before the count: clients that send slowly must not fill it
        if self.under_way >= MAX_UNDER_WAY:
            raise unavailable("overloaded", "Too many transactions under way")
        self.under_way += 1
        try:
            submission = read_transaction(body, principal.client_id, self.rates, datetime.now(UTC))
            time_left_s = request.scope.get(TIME_LEFT_S, inf)
            verdict = await self.pipeline.score(submission, _explain(request), time_left_s)
        finally:
            self.under_way -= 1
        return Response(verdict, media_type=JSON)

    async def decision(self, request: Request) -> Response:
        """`GET /decisions/{transaction_id}`: the caller's own decisions only."""
        principal = self.verifier.authenticate(request.headers.get("authorization"), "decisions:read")
        verdict = await self.pipeline.find(principal.client_id, request.path_params["transaction_id"])
        if verdict is None:
            raise Problem(404, "unknown_transaction", "No decision of yours has this transaction_id")
        return Response(verdict, media_type=JSON)

    async def geoip(self, request: Request) -> Response:
        """`GET /geoip/{ip}`: what the pipeline would take the address for."""
        self.verifier.authenticate(request.headers.get("authorization"), "decisions:read")
        found = await self.pipeline.locate(read_address(request.path_params["ip"]))
        return Response(found.model_dump_json(), media_type=JSON)

    async def login(self, request: Request) -> Response:
        """`POST /events/logins`."""
        principal = self.verifier.authenticate(request.headers.get("authorization"), "events:write")
        login = read_login(await _body(request), datetime.now(UTC))
        try:
            new = await self.profile.record_login(principal.client_id, login)
        except StorageError as error:
            raise unavailable("storage", "The event could not be made durable; send it again") from error
        return Response(b'{"recorded":true}' if new else b'{"recorded":false}', 202, media_type=JSON)

    async def ready(self, _: Request) -> Response:
        """`GET /ready`."""
        faults = await self.readiness()
        if faults:
            detail = "; ".join(f"{part}: {fault}" for part, fault in faults.items())
            raise unavailable("not_ready", detail)
        return JSONResponse({"status": "ready", "notes": self.notes} if self.notes else {"status": "ready"})


async def health(_: Request) -> Response:
    """`GET /health`: the process answers."""
    return Response(b'{"status":"ok"}', media_type=JSON)


async def docs(_: Request) -> Response:
    """`GET /docs`: the OpenAPI document, to read and try."""
    return HTMLResponse(openapi.PAGE)


@cache
def _openapi() -> Response:
    return JSONResponse(openapi.document())


async def openapi_document(_: Request) -> Response:
    """`GET /openapi.json`."""
    return _openapi()


def create_app(api: Api) -> Starlette:
    """The ASGI application. `lifespan` is left to whoever runs it.

    Plain routes: they parse by themselves, and a framework that does would cost a tenth of a verdict, and a cold
    start 0.3 s.
    """
    app = Starlette(
        routes=[
            Route("/score", api.score, methods=["POST"]),
            Route("/decisions/{transaction_id}", api.decision, methods=["GET"]),
            Route("/geoip/{ip}", api.geoip, methods=["GET"]),
            Route("/events/logins", api.login, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
            Route("/ready", api.ready, methods=["GET"]),
            Route("/docs", docs, methods=["GET"]),
            Route("/openapi.json", openapi_document, methods=["GET"]),
        ],
        exception_handlers={Problem: _on_problem, HTTPException: _on_http_exception, Exception: _on_fault},
    )
    app.router.redirect_slashes = False  # a redirect would be built from the caller's Host header
    return app


async def _body(request: Request) -> bytes:
    """The whole body, read no further than is allowed."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise Problem(415, "media_type", f"Content-Type should be {JSON}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "content_encoding", "The body should not be compressed")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY:
                raise _too_large()
            chunks.append(chunk)
    except ClientDisconnect:  # nobody reads the answer; it is no fault of ours either
        raise Problem(400, "incomplete", "The body ended early") from None
    return b"".join(chunks)


def _too_large() -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    detail = f"The body is longer than {MAX_BODY} bytes"
    return Problem(413, "body_too_large", detail, headers={"Connection": "close"})


def _explain(request: Request) -> bool:
    return request.query_params.get("explain", "") in {"true", "1"} if request.scope["query_string"] else False


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
