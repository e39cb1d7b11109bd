"""The public HTTP API of accounts: what their state is, and who releases them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.accounts.records import IN_EFFECT, Account, AccountState, Freeze
from assay.errors import StorageError
from assay.http.application import JSON
from assay.http.bodies import read_body
from assay.http.parameters import account_in_path
from assay.identity import scopes
from assay.identity.access import Access
from assay.identity.tokens import Principal
from assay.moments import moment
from assay.problems import Problem, from_validation, unavailable
from assay.schemas.base import Contract
from assay.schemas.stages import Reason
from assay.schemas.strict_json import parse_object
from functions.action_layer.accounts import Accounts, NotFrozen


def _printable(text: str) -> str:
    if not text.isprintable() or len(text.strip()) < 3:
        raise PydanticCustomError("printable", "Input should be one line of printable text, at least 3 characters")
    return text


class ReleaseRequest(Contract):
    """Why the account is released."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=500), AfterValidator(_printable)] = Field(
        description="One line of printable text, for the audit log."
    )


class FreezeView(Contract):
    """The freeze that is in effect."""

    client_id: str
    transaction_id: str = Field(description="The declined transaction.")
    decided_at: datetime
    reasons: list[Reason]


class ReleaseView(Contract):
    """Who has released the account, when and why."""

    by: str
    at: datetime
    reason: str


class AccountStatus(Contract):
    """The state of an account. An account that nothing is known about is active."""

    account_id: str
    status: AccountState
    version: int = Field(description="One more with every change; 0: nothing has happened to it.")
    until: datetime | None = Field(description="When the freeze ends by itself; null: there is none, or it does not.")
    freeze: FreezeView | None = Field(description="A client is told of its own transactions only.")
    release: ReleaseView | None = Field(description="For persons.")


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    accounts: Accounts
    access: Access

    async def status(self, request: Request) -> Response:
        """`GET /accounts/{account_id}/status`."""
        principal = await self.access.require(request, scopes.ACCOUNTS)
        try:
            account, state = await self.accounts.get(account_in_path(request))
        except StorageError as error:
            raise _storage_down() from error
        return _answer(account, state, principal)

    async def release(self, request: Request) -> Response:
        """`POST /accounts/{account_id}/release`."""
        principal = await self.access.require(request, scopes.RELEASE)
        if principal.role is None:
            raise Problem(403, "not_a_person", "Only a person releases an account")
        account_id = account_in_path(request)
        try:
            wanted = ReleaseRequest.model_validate(parse_object(await read_body(request)))
        except ValidationError as error:
            raise from_validation(error) from None
        try:
            account = await self.accounts.release(account_id, principal.subject, wanted.reason)
        except NotFrozen:
            raise Problem(409, "not_frozen", "The account is neither frozen nor blocked") from None
        except StorageError as error:
            raise _storage_down() from error
        return _answer(account, AccountState.RELEASED, principal)


def routes(api: Api) -> list[Route]:
    """The function's part of the public API."""
    return [
        Route("/accounts/{account_id}/status", api.status, methods=["GET"]),
        Route("/accounts/{account_id}/release", api.release, methods=["POST"]),
    ]


def _answer(account: Account, state: AccountState, principal: Principal) -> Response:
    """As much of it as the caller may know."""
    freeze = account.in_force if state in IN_EFFECT else None
    release = account.release if state is AccountState.RELEASED else None
    status = AccountStatus(
        account_id=account.id,
        status=state,
        version=account.version,
        until=None if freeze is None or freeze.until is None else moment(freeze.until),
        freeze=None if freeze is None or not _concerns(freeze, principal) else _freeze(freeze),
        release=None
        if release is None or principal.role is None
        else ReleaseView(by=release.by, at=moment(release.at), reason=release.reason),
    )
    return Response(status.model_dump_json(), media_type=JSON)


def _concerns(freeze: Freeze, principal: Principal) -> bool:
    return principal.role is not None or principal.subject == freeze.cause.client_id


def _freeze(freeze: Freeze) -> FreezeView:
    cause = freeze.cause
    return FreezeView(
        client_id=cause.client_id,
        transaction_id=cause.transaction_id,
        decided_at=moment(cause.decided_at),
        reasons=list(freeze.reasons),
    )


def _storage_down() -> Problem:
    return unavailable("storage", "The account cannot be read or changed now; send it again")
