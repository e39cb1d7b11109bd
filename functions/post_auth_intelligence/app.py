"""The public HTTP API of post-authorisation intelligence: labels, and what they say of the rules."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay import moments
from assay.features.windows import DAY
from assay.http.bodies import json_response, read_body, read_model
from assay.http.routing import routes_of
from assay.identity import scopes
from assay.identity.access import Access, client_of
from assay.identity.tokens import Principal
from assay.labels.contracts import LabelRequest
from assay.labels.ports import LabelStore, Position
from assay.labels.records import Label, Labelling, Opinion, Outcome
from assay.moments import moment
from assay.problems import FieldError, Problem, from_validation
from assay.schemas.base import Contract, is_token
from functions.post_auth_intelligence.feedback import Feedback, Refusal, Sender
from functions.post_auth_intelligence.feedback_csv import FULL, MAX_FILE, LabelFile, import_labels
from functions.post_auth_intelligence.rule_feedback import RuleFeedback, Tally

CSV = "text/csv"
MAX_PAGE = 200
READ_AT_ONCE = 500
CURSOR = r"^[0-9]{1,17}/[A-Za-z0-9._:-]{1,64}/[A-Za-z0-9._:-]{1,64}$"
STORAGE_DOWN = "Labels cannot be read or changed now; send it again"


class OpinionView(Contract):
    """What somebody said of a transaction."""

    label: Label
    by: str
    received_at: datetime
    labelled_at: datetime
    note: str
    counts_since: datetime | None = Field(description="Null: it waits until another person says the same.")
    confirmed_by: str | None = Field(description="The other person, where one was needed.")


class LabelAnswer(Contract):
    """What became of a label."""

    client_id: str
    transaction_id: str
    outcome: Outcome
    label: Label | None = Field(description="In effect now; null while all wait.")


class Labels(Contract):
    """What was said of a transaction: a client sees what it said itself, a person everything."""

    client_id: str
    transaction_id: str
    label: Label | None = Field(description="In effect now; null while all wait.")
    opinions: list[OpinionView] = Field(description="As they came.")


class WaitingPage(Contract):
    """Transactions with a label that waits for a second person, longest first."""

    labels: list[Labels]
    next: str | None = Field(description="For `after`, to go on; null when there are no more.")


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
    access: Access

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
        file = LabelFile(await read_body(request, CSV, MAX_FILE), client_id)
        return json_response(await import_labels(self.feedback, _sender(principal), file))

    async def labels(self, request: Request) -> Response:
        """`GET /feedback/{transaction_id}`."""
        principal = await self.access.require(request, scopes.LABELS)
        client_id, transaction_id = client_of(principal, request), request.path_params["transaction_id"]
        known = is_token(client_id) and is_token(transaction_id)
        labelling = await self.feedback.store.get(client_id, transaction_id) if known else None
        if labelling is None:
            raise Problem(404, "not_found", "Nothing was said of such a transaction of this client")
        return json_response(_view(labelling, principal))

    async def waiting(self, request: Request) -> Response:
        """`GET /feedback`."""
        principal = await self.access.require(request, scopes.LABELS)
        query = _parameters(request, WaitingQuery)
        own = principal.subject if principal.role is None else None
        found = await self.feedback.store.waiting(_position(query.after), query.limit, own)
        page = WaitingPage(labels=[_view(one, principal) for one in found], next=_next(found, query.limit))
        return json_response(page)

    async def rules(self, request: Request) -> Response:
        """`GET /intelligence/rules`."""
        await self.access.require(request, scopes.INTELLIGENCE)
        days = _parameters(request, RulesQuery).days
        return json_response(await rule_feedback(self.feedback.store, moments.now() - days * DAY))


def routes(api: Api) -> list[Route]:
    """The function's part of the public API."""
    handlers = {
        "/feedback": {"GET": api.waiting, "POST": api.label},
        "/feedback/import": {"POST": api.import_file},
        "/feedback/{transaction_id}": {"GET": api.labels},
        "/intelligence/rules": {"GET": api.rules},
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


def _view(labelling: Labelling, principal: Principal) -> Labels:
    current, subject = labelling.current, labelling.subject
    shown = [one for one in labelling.opinions if principal.role is not None or one.by == principal.subject]
    return Labels(
        client_id=subject.client_id,
        transaction_id=subject.transaction_id,
        label=None if current is None else current.label,
        opinions=[_opinion(one) for one in shown],
    )


def _opinion(opinion: Opinion) -> OpinionView:
    return OpinionView(
        label=opinion.label,
        by=opinion.by,
        received_at=moment(opinion.at),
        labelled_at=moment(opinion.labelled_at),
        note=opinion.note,
        counts_since=None if opinion.counts_since is None else moment(opinion.counts_since),
        confirmed_by=opinion.confirmed_by,
    )


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
