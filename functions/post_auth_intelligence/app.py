"""The public HTTP API of post-authorisation intelligence: labels, what they say of the rules, and reports.

Reports are made beforehand: a request waits for no computation.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay import moments
from assay.features.windows import DAY
from assay.http.application import JSON
from assay.http.bodies import json_response, read_body, read_model
from assay.http.routing import routes_of
from assay.identity import scopes
from assay.identity.access import Access, client_of
from assay.identity.tokens import Principal
from assay.intelligence.reports import DRIFT, PATTERNS, ReportStore
from assay.labels.contracts import LabelRequest
from assay.labels.ports import LabelStore, Position
from assay.labels.records import Labelling, Outcome
from assay.labels.step_ups import StepUpStore
from assay.problems import FieldError, Problem, from_validation
from assay.schemas.base import is_token
from functions.post_auth_intelligence.feedback import Feedback, Refusal, Sender
from functions.post_auth_intelligence.feedback_csv import FULL, MAX_FILE, LabelFile, import_labels
from functions.post_auth_intelligence.rule_feedback import RuleFeedback, Tally
from functions.post_auth_intelligence.views import (
    Everything,
    LabelAnswer,
    Labels,
    WaitingPage,
    labels_view,
    step_up_view,
)

CSV = "text/csv"
MAX_PAGE = 200
READ_AT_ONCE = 500
CURSOR = r"^[0-9]{1,17}/[A-Za-z0-9._:-]{1,64}/[A-Za-z0-9._:-]{1,64}$"
STORAGE_DOWN = "Labels and reports cannot be read or changed now; send it again"


class Query(BaseModel):
    """Parameters of lists, from strings; others are passed over."""

    model_config = ConfigDict(frozen=True)


class WaitingQuery(Query):
    """Of `GET /feedback`."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    after: Annotated[str, StringConstraints(pattern=CURSOR)] | None = None


class RulesQuery(Query):
    """Of `GET /intelligence/rules`."""

    days: Annotated[int, Field(ge=1, le=3_660)] = 90


Parameters = TypeVar("Parameters", bound=Query)


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    feedback: Feedback
    step_ups: StepUpStore
    reports: ReportStore
    access: Access
    max_rows: int | None = None
    """Of a file that is imported; None: as many as its bytes hold."""

    async def label(self, request: Request) -> Response:
        """`POST /feedback`."""
        principal = await self.access.require(request, scopes.LABELS)
        wanted = await read_model(request, LabelRequest)
        (taken,) = await self.feedback.take(_sender(principal), [wanted])
        if isinstance(taken, Refusal):
            raise _problem(taken)
        if taken.outcome is Outcome.FULL:
            raise Problem(409, "full", FULL)
        subject, current = taken.labelling.subject, taken.labelling.current
        return json_response(
            LabelAnswer(
                client_id=subject.client_id,
                transaction_id=subject.transaction_id,
                outcome=taken.outcome,
                label=None if current is None else current.label,
            )
        )

    async def import_file(self, request: Request) -> Response:
        """`POST /feedback/import`: the client that a person names in the query is that of rows that name none."""
        principal = await self.access.require(request, scopes.LABELS)
        client_id = request.query_params.get("client_id") if principal.role is not None else None
        file = LabelFile(await read_body(request, CSV, MAX_FILE), client_id, self.max_rows)
        return json_response(await import_labels(self.feedback, _sender(principal), file))

    async def labels(self, request: Request) -> Response:
        """`GET /feedback/{transaction_id}`."""
        principal = await self.access.require(request, scopes.LABELS)
        client_id, transaction_id = client_of(principal, request), request.path_params["transaction_id"]
        found = await self._everything(principal, client_id, transaction_id)
        if found is None:
            raise Problem(404, "not_found", "Nothing was said of such a transaction of this client")
        return json_response(found)

    async def waiting(self, request: Request) -> Response:
        """`GET /feedback`."""
        principal = await self.access.require(request, scopes.LABELS)
        query = _parameters(request, WaitingQuery)
        own = principal.subject if principal.role is None else None
        found = await self.feedback.store.waiting(_position(query.after), query.limit, own)
        page = WaitingPage(labels=[labels_view(one, principal) for one in found], next=_next(found, query.limit))
        return json_response(page)

    async def rules(self, request: Request) -> Response:
        """`GET /intelligence/rules`."""
        await self.access.require(request, scopes.INTELLIGENCE)
        days = _parameters(request, RulesQuery).days
        return json_response(await rule_feedback(self.feedback.store, moments.now() - days * DAY))

    async def drift(self, request: Request) -> Response:
        """`GET /intelligence/drift`."""
        return await self._newest(request, DRIFT)

    async def patterns(self, request: Request) -> Response:
        """`GET /intelligence/patterns`."""
        return await self._newest(request, PATTERNS)

    async def _newest(self, request: Request, kind: str) -> Response:
        await self.access.require(request, scopes.INTELLIGENCE)
        report = await self.reports.newest(kind)
        if report is None:
            raise Problem(404, "not_found", "No report has been made yet")
        return Response(report.body, media_type=JSON)

    async def _everything(self, principal: Principal, client_id: str, transaction_id: str) -> Everything | None:
        """None when there is nothing, or no such transaction could be."""
        if not (is_token(client_id) and is_token(transaction_id)):
            return None
        labelling = await self.feedback.store.get(client_id, transaction_id)
        step_up = await self.step_ups.get(client_id, transaction_id)
        if labelling is None and step_up is None:
            return None
        if labelling is None:
            said = Labels(client_id=client_id, transaction_id=transaction_id, label=None, opinions=[])
        else:
            said = labels_view(labelling, principal)
        return Everything(**dict(said), step_up=step_up_view(step_up))


def routes(api: Api) -> list[Route]:
    """The function's part of the public API."""
    handlers = {
        "/feedback": {"GET": api.waiting, "POST": api.label},
        "/feedback/import": {"POST": api.import_file},
        "/feedback/{transaction_id}": {"GET": api.labels},
        "/intelligence/rules": {"GET": api.rules},
        "/intelligence/drift": {"GET": api.drift},
        "/intelligence/patterns": {"GET": api.patterns},
    }
    return routes_of(handlers, STORAGE_DOWN)


async def rule_feedback(store: LabelStore, since: int) -> RuleFeedback:
    """Over what was decided at `since` or later and has a label. Raises `StorageError`."""
    tally, after = Tally(), None
    while page := await store.in_effect(since, after, READ_AT_ONCE):
        tally.add(page)
        subject = page[-1].subject
        after = Position(subject.decided_at, subject.client_id, subject.transaction_id)
        await asyncio.sleep(0)  # a score must not wait for all pages
    return tally.report()


def _sender(principal: Principal) -> Sender:
    return Sender(principal.subject, is_person=principal.role is not None)


def _problem(refusal: Refusal) -> Problem:
    if refusal is Refusal.UNKNOWN:
        return Problem(404, "not_found", refusal)
    field = "client_id" if refusal is Refusal.NO_CLIENT else "labelled_at"
    return Problem(422, "validation", f"Not valid: {field}", [FieldError(field, refusal.name.lower(), refusal)])


def _parameters(request: Request, model: type[Parameters]) -> Parameters:
    try:
        return model.model_validate_strings(dict(request.query_params))
    except ValidationError as error:
        raise from_validation(error) from None


def _position(after: str | None) -> Position | None:
    if after is None:
        return None
    at, client_id, transaction_id = after.split("/")
    return Position(int(at), client_id, transaction_id)


def _next(found: list[Labelling], limit: int) -> str | None:
    if len(found) < limit:
        return None
    last = found[-1]
    return f"{last.waiting_since}/{last.subject.client_id}/{last.subject.transaction_id}"
