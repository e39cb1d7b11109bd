"""The HTTP API of feeds and webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.client_events.ports import FeedStore
from assay.client_events.records import Entry, Health, Webhook
from assay.http.application import JSON
from assay.http.bodies import json_response, read_model
from assay.http.routing import Handler, routes_of
from assay.identity import scopes
from assay.identity.access import Access, client_of
from assay.moments import moment
from assay.problems import Problem, from_validation
from functions.client_events.contracts import (
    ALL,
    CreatedWebhook,
    NewSecret,
    NewWebhook,
    WebhookList,
    WebhookView,
)
from functions.client_events.webhooks import Webhooks

MAX_PAGE = 200
MAX_SEQUENCE = 2**53 - 1
"""As far as every JSON reader counts."""
NO_STORE = {"Cache-Control": "no-store"}


class Query(BaseModel):
    """The parameters of `GET /events`, from strings; others are passed over."""

    model_config = ConfigDict(frozen=True)
    after: Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    feed: FeedStore
    webhooks: Webhooks
    access: Access

    async def events(self, request: Request) -> Response:
        """`GET /events`: a client's own; a person names the client."""
        principal = await self.access.require(request, scopes.EVENTS_READ)
        client_id = client_of(principal, request)
        try:
            query = Query.model_validate_strings(dict(request.query_params))
        except ValidationError as error:
            raise from_validation(error) from None
        found = await self.feed.page(client_id, query.after, query.limit)
        return Response(_page(found, query.after), media_type=JSON)

    async def add(self, request: Request) -> Response:
        """`POST /webhooks`."""
        client_id = await self._client(request)
        wanted = await read_model(request, NewWebhook)
        id_, secret = await self.webhooks.add(client_id, wanted.url, wanted.kinds)
        return json_response(CreatedWebhook(id=id_, secret=secret), 201, NO_STORE)

    async def list(self, request: Request) -> Response:
        """`GET /webhooks`."""
        client_id = await self._client(request)
        found = await self.webhooks.of_client(client_id)
        return json_response(WebhookList(webhooks=[_view(*each) for each in found]))

    async def remove(self, request: Request) -> Response:
        """`DELETE /webhooks/{webhook_id}`."""
        client_id = await self._client(request)
        await self.webhooks.remove(client_id, request.path_params["webhook_id"])
        return Response(status_code=204)

    async def rotate(self, request: Request) -> Response:
        """`POST /webhooks/{webhook_id}/secret`."""
        client_id = await self._client(request)
        secret, until = await self.webhooks.rotate(client_id, request.path_params["webhook_id"])
        return json_response(NewSecret(secret=secret, former_until=moment(until)), headers=NO_STORE)

    async def _client(self, request: Request) -> str:
        principal = await self.access.require(request, scopes.WEBHOOKS)
        if principal.role is not None:
            raise Problem(403, "not_a_client", "Webhooks are for service clients")
        return principal.subject


def routes(api: Api) -> list[Route]:
    """This function's part of the public API."""
    handlers: dict[str, dict[str, Handler]] = {
        "/events": {"GET": api.events},
        "/webhooks": {"GET": api.list, "POST": api.add},
        "/webhooks/{webhook_id}": {"DELETE": api.remove},
        "/webhooks/{webhook_id}/secret": {"POST": api.rotate},
    }
    return routes_of(handlers, "Events and webhooks cannot be read or changed now; try again")


def _page(found: list[Entry], after: int) -> bytes:
    """Of the entries' own bytes: what a webhook gets is what the feed shows."""
    last = found[-1].sequence if found else after
    return b'{"events":[%s],"next":%d}' % (b",".join(entry.body for entry in found), last)


def _view(webhook: Webhook, health: Health) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        events=ALL if webhook.kinds is None else list(webhook.kinds),
        status=webhook.status,
        reason=webhook.reason or None,
        created_at=moment(webhook.created_at),
        last_success_at=None if health.last_success_at is None else moment(health.last_success_at),
        last_failure_at=None if health.last_failure_at is None else moment(health.last_failure_at),
        error=health.error or None,
    )
