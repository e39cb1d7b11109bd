"""The HTTP API of users, sessions and service clients. Reads, asks whoever knows, replies."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assay.http.application import JSON
from assay.http.bodies import json_response, read_body, read_model
from assay.http.routing import Handler, routes_of
from assay.identity.access import Access
from assay.identity.records import ServiceClient, User
from assay.identity.scopes import IDENTITY, scopes_of
from assay.identity.tokens import Principal, unauthorized
from assay.moments import moment
from assay.problems import Problem
from assay.schemas.base import is_token
from functions.users.accounts import Accounts
from functions.users.clients import Clients
from functions.users.contracts import (
    ClientChange,
    ClientPage,
    ClientSecret,
    ClientView,
    Login,
    NewClient,
    PasswordChange,
    Refresh,
    Registered,
    Registration,
    UserChange,
    UserPage,
    UserView,
)
from functions.users.minting import Mint
from functions.users.oauth import FORM, OAuthError, read_token_request
from functions.users.passwords import refused
from functions.users.sessions import Sessions
from functions.users.throttle import network

NO_STORE = {"Cache-Control": "no-store"}
JWKS_AGE = {"Cache-Control": "public, max-age=60"}
PAGE = 100
LIMIT = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    accounts: Accounts
    sessions: Sessions
    clients: Clients
    mint: Mint
    access: Access

    async def register(self, request: Request) -> Response:
        """`POST /users`."""
        await self.accounts.register(await read_model(request, Registration), _address(request))
        return json_response(Registered(), 202)

    async def login(self, request: Request) -> Response:
        """`POST /auth/login`."""
        return json_response(
            await self.sessions.login(await read_model(request, Login), _address(request)), headers=NO_STORE
        )

    async def refresh(self, request: Request) -> Response:
        """`POST /auth/refresh`."""
        refresh = await read_model(request, Refresh)
        return json_response(await self.sessions.refresh(refresh.refresh_token), headers=NO_STORE)

    async def logout(self, request: Request) -> Response:
        """`POST /auth/logout`."""
        principal, session = await self._person(request)
        await self.sessions.logout(principal, session)
        return Response(status_code=204)

    async def me(self, request: Request) -> Response:
        """`GET /users/me`."""
        return json_response(_user(await self._myself(request)))

    async def change_password(self, request: Request) -> Response:
        """`POST /users/me/password`."""
        user = await self._myself(request)
        await self.sessions.change_password(user, await read_model(request, PasswordChange), _address(request))
        return Response(status_code=204)

    async def users(self, request: Request) -> Response:
        """`GET /users`."""
        await self.access.require(request, IDENTITY)
        after, limit = _page(request)
        found = await self.accounts.page(after, limit)
        return json_response(
            UserPage(users=[_user(user) for user in found], next=_next([user.id for user in found], limit))
        )

    async def user(self, request: Request) -> Response:
        """`GET /users/{id}`."""
        await self.access.require(request, IDENTITY)
        return json_response(_user(await self.accounts.get(_id(request))))

    async def change_user(self, request: Request) -> Response:
        """`PATCH /users/{id}`."""
        admin = await self.access.require(request, IDENTITY)
        change = await read_model(request, UserChange)
        return json_response(_user(await self.accounts.change(_id(request), change, admin.subject)))

    async def token(self, request: Request) -> Response:
        """`POST /oauth/token`."""
        body = await read_body(request, FORM)
        try:
            asked = read_token_request(body, request.headers.get("authorization"))
            token = await self.clients.token(asked, _address(request))
        except OAuthError as error:
            document = {"error": error.error, "error_description": error.description}
            return JSONResponse(document, error.status, error.headers | NO_STORE)
        return json_response(token, headers=NO_STORE)

    async def add_client(self, request: Request) -> Response:
        """`POST /clients`."""
        admin = await self.access.require(request, IDENTITY)
        client, secret = await self.clients.add(await read_model(request, NewClient), admin.subject)
        return json_response(_client_secret(client, secret), 201, NO_STORE)

    async def service_clients(self, request: Request) -> Response:
        """`GET /clients`."""
        await self.access.require(request, IDENTITY)
        after, limit = _page(request)
        found = await self.clients.page(after, limit)
        following = _next([client.id for client in found], limit)
        return json_response(ClientPage(clients=[_client(client) for client in found], next=following))

    async def change_client(self, request: Request) -> Response:
        """`PATCH /clients/{id}`."""
        admin = await self.access.require(request, IDENTITY)
        change = await read_model(request, ClientChange)
        return json_response(_client(await self.clients.change(_id(request), change, admin.subject)))

    async def new_secret(self, request: Request) -> Response:
        """`POST /clients/{id}/secret`."""
        admin = await self.access.require(request, IDENTITY)
        client, secret = await self.clients.new_secret(_id(request), admin.subject)
        return json_response(_client_secret(client, secret), headers=NO_STORE)

    async def jwks(self, _: Request) -> Response:
        """`GET /.well-known/jwks.json`."""
        return Response(await self.mint.jwks(), headers=JWKS_AGE, media_type=JSON)

    async def _person(self, request: Request) -> tuple[Principal, str]:
        """Who calls, when it is a person, and the session it calls in."""
        principal = await self.access.require(request, None)
        if principal.role is None or principal.session is None:
            raise Problem(403, "not_a_person", "Only for persons who have logged in")
        return principal, principal.session

    async def _myself(self, request: Request) -> User:
        principal, _ = await self._person(request)
        try:
            return await self.accounts.get(principal.subject)
        except Problem:
            raise unauthorized("The user of this token is gone") from None


def routes(api: Api) -> list[Route]:
    """This function's part of the public API."""
    handlers: dict[str, dict[str, Handler]] = {
        "/users": {"GET": api.users, "POST": api.register},
        "/users/me": {"GET": api.me},
        "/users/me/password": {"POST": api.change_password},
        "/users/{id}": {"GET": api.user, "PATCH": api.change_user},
        "/auth/login": {"POST": api.login},
        "/auth/refresh": {"POST": api.refresh},
        "/auth/logout": {"POST": api.logout},
        "/oauth/token": {"POST": api.token},
        "/clients": {"GET": api.service_clients, "POST": api.add_client},
        "/clients/{id}": {"PATCH": api.change_client},
        "/clients/{id}/secret": {"POST": api.new_secret},
        "/.well-known/jwks.json": {"GET": api.jwks},
    }
    return routes_of(handlers, "Users cannot be read or changed now; try again")


def _address(request: Request) -> str:
    """Of the connection, not what a header says; Lambda's events bring it in its place."""
    return network(request.client.host if request.client else None)


def _id(request: Request) -> str:
    """The one in the path; what cannot be one is not looked for."""
    found: str = request.path_params["id"]
    if not is_token(found):
        raise Problem(404, "unknown", "Nothing has this id")
    return found


def _page(request: Request) -> tuple[str, int]:
    """`after` and `limit` of the query."""
    after, limit = request.query_params.get("after", ""), request.query_params.get("limit", str(PAGE))
    if after and not is_token(after):
        raise refused("after", "id", "It should be the `next` of a page")
    if not LIMIT.fullmatch(limit) or not 1 <= int(limit) <= PAGE:
        raise refused("limit", "range", f"It should be between 1 and {PAGE}")
    return after, int(limit)


def _next(ids: list[str], limit: int) -> str | None:
    return ids[-1] if len(ids) == limit else None


def _user(user: User) -> UserView:
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        status=user.status,
        created_at=moment(user.created_at),
        scopes=list(scopes_of(user.role)),
    )


def _client(client: ServiceClient) -> ClientView:
    return ClientView(
        client_id=client.id,
        scopes=list(client.scopes),
        status=client.status,
        created_at=moment(client.created_at),
    )


def _client_secret(client: ServiceClient, secret: str) -> ClientSecret:
    return ClientSecret(**_client(client).model_dump(), client_secret=secret)
