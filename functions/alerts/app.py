"""The public HTTP API of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.alerts.config import Name
from assay.alerts.ports import AlertStore
from assay.alerts.records import Filter, Listed, Message, Position, State
from assay.errors import StorageError
from assay.http.application import JSON
from assay.identity import scopes
from assay.identity.access import Access
from assay.identity.tokens import Principal
from assay.moments import moment
from assay.problems import from_validation, unavailable
from assay.schemas.base import Contract

MAX_PAGE = 200
CURSOR = r"^[0-9]{1,17}\.alt_[0-9a-f]{32}$"


class Query(BaseModel):
    """The parameters of `GET /alerts`, from strings; others are passed over."""

    model_config = ConfigDict(frozen=True)
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    after: Annotated[str, StringConstraints(pattern=CURSOR)] | None = None
    route: Name | None = None
    status: State | None = None


class AlertMessage(Contract):
    """What became of one message about an alert. Addresses are not shown."""

    channel: str = Field(description="`mail`, or the name of a webhook.")
    status: State
    attempts: int
    due_at: datetime | None = Field(description="When it will be tried next; null when it will not.")
    error: str | None = Field(description="Why the last attempt failed.")
    is_digest: bool = Field(description="One mail about several alerts.")


class AlertItem(Contract):
    """One alert."""

    id: str
    route: str
    created_at: datetime
    event: str
    client_id: str
    transaction_id: str | None
    decision: str | None
    deliveries: list[AlertMessage]


class AlertPage(Contract):
    """Alerts, newest first."""

    alerts: list[AlertItem]
    next: str | None = Field(description="For `after`, to go on; null when there are no more.")


@dataclass(frozen=True, slots=True)
class Api:
    """What the route works with."""

    store: AlertStore
    access: Access

    async def alerts(self, request: Request) -> Response:
        """`GET /alerts`: a client's own only; a person sees all."""
        principal = await self.access.require(request, scopes.ALERTS)
        query = _read(request)
        try:
            found = await self.store.page(_filter(principal, query), _position(query.after), query.limit)
        except StorageError as error:
            raise unavailable("storage", "The alerts cannot be read now") from error
        page = AlertPage(alerts=[_item(listed) for listed in found], next=_next(found, query.limit))
        return Response(page.model_dump_json(), media_type=JSON)


def routes(api: Api) -> list[Route]:
    """The function's part of the public API."""
    return [Route("/alerts", api.alerts, methods=["GET"])]


def _read(request: Request) -> Query:
    try:
        return Query.model_validate_strings(dict(request.query_params))
    except ValidationError as error:
        raise from_validation(error) from None


def _filter(principal: Principal, query: Query) -> Filter:
    return Filter(principal.subject if principal.role is None else None, query.route, query.status)


def _position(after: str | None) -> Position | None:
    if after is None:
        return None
    created_at, _, id_ = after.partition(".")
    return Position(int(created_at), id_)


def _next(found: list[Listed], limit: int) -> str | None:
    if len(found) < limit:
        return None
    last = found[-1].alert
    return f"{last.created_at}.{last.id}"


def _item(listed: Listed) -> AlertItem:
    alert = listed.alert
    return AlertItem(
        id=alert.id,
        route=alert.route,
        created_at=moment(alert.created_at),
        event=alert.kind,
        client_id=alert.client_id,
        transaction_id=alert.transaction_id,
        decision=alert.decision,
        deliveries=[_message(message) for message in listed.messages],
    )


def _message(message: Message) -> AlertMessage:
    return AlertMessage(
        channel=message.channel,
        status=message.state,
        attempts=message.attempts,
        due_at=moment(message.due_at) if message.state is State.PENDING else None,
        error=message.error or None,
        is_digest=message.is_digest,
    )
