"""The API is closed by default: what answers without a token is listed here, and nothing else does."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.http.application import application
from assay.identity.access import Access
from assay.identity.tokens import TokenVerifier
from tests.template.apps import APPS, DEPLOYED, routes_of, served
from tests.template.stack import stack
from tests.template.wiring import routes

OPEN = {
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/.well-known/jwks.json"),
    ("POST", "/users"),
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/oauth/token"),
}
"""(method, path). A new one has to be argued for here."""


@pytest.mark.parametrize("folder", APPS)
def test_without_a_token_every_other_route_answers_401(folder: str) -> None:
    """Before it does anything: there is nothing behind these routes but the check of tokens."""
    found = routes_of(folder, access=Access(TokenVerifier(no_keys, "assay", "assay"), Nobody()))
    assert answering(found) == OPEN & served(found)


def test_an_open_route_is_found() -> None:
    async def anybody(_: Request) -> Response:
        return Response()

    assert answering([Route("/admin/{id}", anybody, methods=["DELETE"])]) == {("DELETE", "/admin/{id}")}


def test_every_route_of_the_api_is_looked_at() -> None:
    assert routes(stack("all_separate")) == {route for folder in DEPLOYED for route in served(routes_of(folder))}


def answering(found: list[Route]) -> set[tuple[str, str]]:
    """(method, path) of the routes that give anything but 401 to a request without a token."""
    return {
        (method, path)
        for method, path in served(found)
        if asyncio.run(status(found, method, path.replace("{", "").replace("}", ""))) != 401
    }


async def status(found: list[Route], method: str, path: str) -> int:
    transport = httpx.ASGITransport(application(found), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://assay") as client:
        return (await client.request(method, path)).status_code


async def no_keys() -> str:
    return '{"keys":[]}'


class Nobody:
    async def is_revoked(self, session: str) -> bool:
        return False
