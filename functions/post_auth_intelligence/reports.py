"""The newest reports of drift and patterns over HTTP. They are made beforehand: a request waits for no computation."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.http.application import JSON
from assay.http.routing import routes_of
from assay.identity import scopes
from assay.identity.access import Access
from assay.intelligence.reports import DRIFT, PATTERNS, ReportStore
from assay.problems import Problem


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    store: ReportStore
    access: Access

    async def drift(self, request: Request) -> Response:
        """`GET /intelligence/drift`."""
        return await self._newest(request, DRIFT)

    async def patterns(self, request: Request) -> Response:
        """`GET /intelligence/patterns`."""
        return await self._newest(request, PATTERNS)

    async def _newest(self, request: Request, kind: str) -> Response:
        await self.access.require(request, scopes.INTELLIGENCE)
        report = await self.store.newest(kind)
        if report is None:
            raise Problem(404, "not_found", "No report has been made yet")
        return Response(report.body, media_type=JSON)


def routes(api: Api) -> list[Route]:
    """The function's part of the public API."""
    handlers = {"/intelligence/drift": {"GET": api.drift}, "/intelligence/patterns": {"GET": api.patterns}}
    return routes_of(handlers, "Reports cannot be read now")
