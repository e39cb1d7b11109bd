"""The public HTTP API. Parses, calls the pipeline, replies; every error is an RFC 9457 problem."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from math import inf

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from assay.errors import StorageError
from assay.http.application import JSON, TIME_LEFT_S
from assay.http.bodies import read_body
from assay.identity import scopes
from assay.identity.access import Access, client_of
from assay.ports import ProfileStore
from assay.problems import Problem, unavailable
from assay.schemas.base import is_token
from functions.orchestrator.docs import PAGE, document
from functions.orchestrator.intake import read_address, read_login, read_transaction
from functions.orchestrator.pipeline import Pipeline

MAX_UNDER_WAY = 128

Readiness = Callable[[], Awaitable[dict[str, str]]]
"""Says what is wrong, part by part; empty when everything is as it should be."""


@dataclass(slots=True)
class Api:
    """What the routes work with."""

    pipeline: Pipeline
    profile: ProfileStore
    access: Access
    readiness: Readiness
    notes: Mapping[str, str] = field(default_factory=dict)
    """What verdicts do without from the start, part by part; `/ready` says it, and that it is ready."""
    under_way: int = 0
    """Requests being scored; more than `MAX_UNDER_WAY` are refused at once rather than served late."""

    async def score(self, request: Request) -> Response:
        """`POST /score`."""
        principal = await self.access.require(request, scopes.SCORE)
        body = await read_body(request)  # before the count: clients that send slowly must not fill it
        if self.under_way >= MAX_UNDER_WAY:
            raise unavailable("overloaded", "Too many transactions under way")
        self.under_way += 1
        try:
            by = self.pipeline.deciding
            submission = read_transaction(body, principal.subject, by.settings.rates, datetime.now(UTC))
            time_left_s = request.scope.get(TIME_LEFT_S, inf)
            verdict = await self.pipeline.score(submission, _explain(request), time_left_s, by)
        finally:
            self.under_way -= 1
        return Response(verdict, media_type=JSON)

    async def decision(self, request: Request) -> Response:
        """`GET /decisions/{transaction_id}`: a client's own decisions only; a person names the client."""
        principal = await self.access.require(request, scopes.DECISIONS)
        client_id, id_ = client_of(principal, request), request.path_params["transaction_id"]
        verdict = await self.pipeline.find(client_id, id_) if is_token(client_id) and is_token(id_) else None
        if verdict is None:
            raise Problem(404, "unknown_transaction", "No decision of this client has this transaction_id")
        return Response(verdict, media_type=JSON)

    async def geoip(self, request: Request) -> Response:
        """`GET /geoip/{ip}`: what the pipeline would take the address for."""
        await self.access.require(request, scopes.DECISIONS)
        found = await self.pipeline.locate(read_address(request.path_params["ip"]))
        return Response(found.model_dump_json(), media_type=JSON)

    async def login(self, request: Request) -> Response:
        """`POST /events/logins`."""
        principal = await self.access.require(request, scopes.EVENTS)
        login = read_login(await read_body(request), datetime.now(UTC))
        try:
            new = await self.profile.record_login(principal.subject, login)
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
    return HTMLResponse(PAGE)


@cache
def _openapi() -> Response:
    return Response(document(), media_type=JSON)


async def openapi_document(_: Request) -> Response:
    """`GET /openapi.json`."""
    return _openapi()


def routes(api: Api) -> list[Route]:
    """The orchestrator's part of the public API."""
    return [
        Route("/score", api.score, methods=["POST"]),
        Route("/decisions/{transaction_id}", api.decision, methods=["GET"]),
        Route("/geoip/{ip}", api.geoip, methods=["GET"]),
        Route("/events/logins", api.login, methods=["POST"]),
        Route("/health", health, methods=["GET"]),
        Route("/ready", api.ready, methods=["GET"]),
        Route("/docs", docs, methods=["GET"]),
        Route("/openapi.json", openapi_document, methods=["GET"]),
    ]


def _explain(request: Request) -> bool:
    return request.query_params.get("explain", "") in {"true", "1"} if request.scope["query_string"] else False
