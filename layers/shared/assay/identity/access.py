"""The one check that every protected route of every function makes: a valid token, still good, with the scope."""

from __future__ import annotations

from starlette.requests import Request

from assay.errors import StorageError
from assay.identity.ports import Revocations
from assay.identity.tokens import Principal, TokenVerifier, unauthorized
from assay.problems import FieldError, Problem, unavailable


class Access:
    """Who may call what."""

    def __init__(self, verifier: TokenVerifier, revocations: Revocations) -> None:
        self._verifier = verifier
        self._revocations = revocations

    async def require(self, request: Request, scope: str | None) -> Principal:
        """The caller, when its token has the scope (None: any token will do).

        Raises `Problem`: 401 without a good token, 403 without the scope, 503 when it is not known what was revoked.
        """
        principal = await self._verifier.authenticate(request.headers.get("authorization"))
        if principal.session is not None and await self._is_revoked(principal.session):
            raise unauthorized("The token was revoked")
        if scope is not None and scope not in principal.scopes:
            raise Problem(403, "scope", f"The token lacks the scope {scope}")
        return principal

    async def _is_revoked(self, session: str) -> bool:
        try:
            return await self._revocations.is_revoked(session)
        except StorageError as error:
            raise unavailable("revocations", "It cannot be checked now whether the token was revoked") from error


def client_of(principal: Principal, request: Request) -> str:
    """Whose transactions it is about: a service client's own, whatever it asks for; the client that a person names.

    Raises `Problem` 422 when a person names none.
    """
    if principal.role is None:
        return principal.subject
    client_id = request.query_params.get("client_id")
    if not client_id:
        fault = FieldError("client_id", "missing", "A person names the client that sent the transaction")
        raise Problem(422, "validation", "Not valid: client_id", [fault])
    return client_id
