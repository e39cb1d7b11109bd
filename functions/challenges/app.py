"""The HTTP API of challenges, contacts and authenticator apps."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.challenges.codes import Offer, binding
from assay.challenges.ports import Contact
from assay.challenges.records import OUTCOMES, Challenge
from assay.http.bodies import json_response, read_model
from assay.http.parameters import account_in_path
from assay.http.routing import Handler, routes_of
from assay.identity import scopes
from assay.identity.access import Access
from assay.moments import moment
from assay.schemas.stages import Decision
from functions.challenges.apps import Apps
from functions.challenges.contacts import Contacts
from functions.challenges.contracts import (
    ChallengeView,
    Confirmation,
    ContactDetails,
    Enrolled,
    Verification,
    Verified,
)
from functions.challenges.service import Challenges

NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    challenges: Challenges
    contacts: Contacts
    apps: Apps
    access: Access

    async def challenge(self, request: Request) -> Response:
        """`GET /challenges/{challenge_id}`: a client's own; a person sees all."""
        principal = await self.access.require(request, scopes.CHALLENGES_READ)
        client_id = principal.subject if principal.role is None else None
        return self._shown(await self.challenges.find(request.path_params["challenge_id"], client_id))

    async def verify(self, request: Request) -> Response:
        """`POST /challenges/{challenge_id}/verify`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        asked = await read_model(request, Verification)
        bound_to = binding(asked.account_id, asked.amount, asked.currency, asked.counterparty_id)
        challenge_id = request.path_params["challenge_id"]
        ended = await self.challenges.verify(challenge_id, principal.subject, Offer(asked.code, bound_to))
        return json_response(Verified(status=ended.status, decision=OUTCOMES[ended.status][0]))

    async def resend(self, request: Request) -> Response:
        """`POST /challenges/{challenge_id}/resend`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        return self._shown(await self.challenges.resend(request.path_params["challenge_id"], principal.subject))

    async def put_contact(self, request: Request) -> Response:
        """`PUT /accounts/{account_id}/contact`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        details = await read_model(request, ContactDetails, phones={"phone"})
        contact = Contact(details.email, details.phone)
        await self.contacts.put(principal.subject, account_in_path(request), contact)
        return Response(status_code=204)

    async def remove_contact(self, request: Request) -> Response:
        """`DELETE /accounts/{account_id}/contact`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        await self.contacts.remove(principal.subject, account_in_path(request))
        return Response(status_code=204)

    async def enrol(self, request: Request) -> Response:
        """`POST /accounts/{account_id}/totp`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        uri = await self.apps.enrol(principal.subject, account_in_path(request))
        return json_response(Enrolled(uri=uri), 201, NO_STORE)

    async def confirm(self, request: Request) -> Response:
        """`POST /accounts/{account_id}/totp/confirm`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        typed = await read_model(request, Confirmation)
        await self.apps.confirm(principal.subject, account_in_path(request), typed.code)
        return Response(status_code=204)

    async def remove_app(self, request: Request) -> Response:
        """`DELETE /accounts/{account_id}/totp`."""
        principal = await self.access.require(request, scopes.CHALLENGES)
        await self.apps.remove(principal.subject, account_in_path(request))
        return Response(status_code=204)

    def _shown(self, challenge: Challenge) -> Response:
        return json_response(_view(challenge, self.challenges.limits.tries))


def routes(api: Api) -> list[Route]:
    """This function's part of the public API."""
    handlers: dict[str, dict[str, Handler]] = {
        "/challenges/{challenge_id}": {"GET": api.challenge},
        "/challenges/{challenge_id}/verify": {"POST": api.verify},
        "/challenges/{challenge_id}/resend": {"POST": api.resend},
        "/accounts/{account_id}/contact": {"PUT": api.put_contact, "DELETE": api.remove_contact},
        "/accounts/{account_id}/totp": {"POST": api.enrol, "DELETE": api.remove_app},
        "/accounts/{account_id}/totp/confirm": {"POST": api.confirm},
    }
    return routes_of(handlers, "Challenges cannot be read or changed now; try again")


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
        expires_at=moment(challenge.expires_at),
        sent_at=None if challenge.sent_at is None else moment(challenge.sent_at),
    )
