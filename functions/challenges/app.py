"""The HTTP API of challenges, contacts and authenticator apps."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.challenges.codes import binding
from assay.challenges.ports import Contact
from assay.challenges.records import OUTCOMES, Challenge
from assay.errors import StorageError
from assay.http.application import JSON
from assay.http.bodies import read_body
from assay.identity import scopes
from assay.identity.access import Access
from assay.moments import EPOCH, MICROSECOND
from assay.problems import FieldError, Problem, from_validation, unavailable
from assay.schemas.base import IDENTIFIER, Contract
from assay.schemas.card_numbers import contains_card_number
from assay.schemas.stages import Decision
from assay.schemas.strict_json import parse_object
from functions.challenges.contracts import ChallengeView, ContactDetails, Enrolled, Verification, Verified
from functions.challenges.factors import Factors
from functions.challenges.service import Challenges, Offer

NO_STORE = {"Cache-Control": "no-store"}
LONGEST = 64
ID = re.compile(IDENTIFIER)

Handler = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=Contract)


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    challenges: Challenges
    factors: Factors
    access: Access

    async def challenge(self, request: Request) -> Response:
        """`GET /challenges/{challenge_id}`: a client's own; a person sees all."""
        principal = await self.access.require(request, scopes.CHALLENGES_READ)
        client_id = principal.subject if principal.role is None else None
        return self._shown(await self.challenges.find(request.path_params["challenge_id"], client_id))

    async def verify(self, request: Request) -> Response:
        """`POST /challenges/{challenge_id}/verify`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        asked = await _read(request, Verification)
        bound_to = binding(asked.account_id, asked.amount, asked.currency, asked.counterparty_id)
        challenge_id = request.path_params["challenge_id"]
        ended = await self.challenges.verify(challenge_id, principal.subject, Offer(asked.code, bound_to))
        return _json(Verified(status=ended.status, decision=OUTCOMES[ended.status][0]))

    async def resend(self, request: Request) -> Response:
        """`POST /challenges/{challenge_id}/resend`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        return self._shown(await self.challenges.resend(request.path_params["challenge_id"], principal.subject))

    async def put_contact(self, request: Request) -> Response:
        """`PUT /accounts/{account_id}/contact`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        details = await _read(request, ContactDetails, phones={"phone"})
        contact = Contact(details.email, details.phone)
        await self.factors.put_contact(principal.subject, _account(request), contact)
        return Response(status_code=204)

    async def enrol(self, request: Request) -> Response:
        """`POST /accounts/{account_id}/totp`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        uri = await self.factors.enrol(principal.subject, _account(request))
        return _json(Enrolled(uri=uri), 201, NO_STORE)

    async def remove_enrolment(self, request: Request) -> Response:
        """`DELETE /accounts/{account_id}/totp`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        await self.factors.remove(principal.subject, _account(request))
        return Response(status_code=204)

    def _shown(self, challenge: Challenge) -> Response:
        return _json(_view(challenge, self.challenges.limits.tries))


def routes(api: Api) -> list[Route]:
    """This function's part of the public API."""
    handlers: dict[str, dict[str, Handler]] = {
        "/challenges/{challenge_id}": {"GET": api.challenge},
        "/challenges/{challenge_id}/verify": {"POST": api.verify},
        "/challenges/{challenge_id}/resend": {"POST": api.resend},
        "/accounts/{account_id}/contact": {"PUT": api.put_contact},
        "/accounts/{account_id}/totp": {"POST": api.enrol, "DELETE": api.remove_enrolment},
    }
    return [Route(path, _by_method(methods), methods=list(methods)) for path, methods in handlers.items()]


def _by_method(handlers: dict[str, Handler]) -> Handler:
    """One route for each path, which is what names the methods allowed to a request with another."""

    async def handle(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        try:
            return await handlers[method](request)
        except StorageError as error:
            raise unavailable("storage", "Challenges cannot be read or changed now; try again") from error

    return handle


async def _read(request: Request, contract: type[Body], phones: Container[str] = ()) -> Body:
    try:
        return contract.model_validate(parse_object(await read_body(request), phones=phones))
    except ValidationError as error:
        raise from_validation(error) from None


def _account(request: Request) -> str:
    """The one in the path, which is kept: as strict as in a body."""
    found: str = request.path_params["account_id"]
    if not ID.fullmatch(found) or len(found) > LONGEST:
        raise _refused("token", "1 to 64 of A-Z a-z 0-9 . _ : -")
    if contains_card_number(found):
        raise _refused("card_number", "Looks like a card number; send a token")
    return found


def _refused(code: str, detail: str) -> Problem:
    return Problem(422, "validation", "Not valid: account_id", [FieldError("account_id", code, detail)])


def _view(challenge: Challenge, most: int) -> ChallengeView:
    ended = OUTCOMES.get(challenge.status)
    decision: Decision | None = None if ended is None else ended[0]
    return ChallengeView(
        id=challenge.id,
        client_id=challenge.client_id,
        transaction_id=challenge.transaction_id,
        account_id=challenge.account_id,
        method=challenge.method,
        status=challenge.status,
        delivery=challenge.delivery,
        decision=decision,
        tries_left=0 if ended is not None else max(0, most - challenge.tries),
        expires_at=EPOCH + challenge.expires_at * MICROSECOND,
        sent_at=None if challenge.sent_at is None else EPOCH + challenge.sent_at * MICROSECOND,
    )


def _json(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(answer.model_dump_json(), status, headers, JSON)
