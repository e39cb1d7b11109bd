"""The public HTTP API of the audit log."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay.audit.reading import BrokenChain, read_record
from assay.errors import StorageError
from assay.http.application import JSON
from assay.identity import scopes
from assay.identity.access import Access, client_of
from assay.ports import Archive, AuditAnchorStore, AuditPlace
from assay.problems import Problem, unavailable
from assay.schemas.base import Contract, is_token
from assay.schemas.event import TRANSACTION_SCORED

log = logging.getLogger(__name__)


class AuditHead(Contract):
    """Where the log ends: what to write down elsewhere, for `assay audit verify --head` to look for."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    archive: Archive
    anchor: AuditAnchorStore
    access: Access

    async def head(self, request: Request) -> Response:
        """`GET /audit/head`."""
        await self.access.require(request, scopes.AUDIT)
        try:
            head = (await self.anchor.read()).head
        except StorageError as error:
            raise _unreadable(error) from error
        return Response(AuditHead(sequence=head.sequence, hash=head.hash).model_dump_json(), media_type=JSON)

    async def record(self, request: Request) -> Response:
        """`GET /audit/records/{transaction_id}`: the line as it is in the log. A person names the client."""
        principal = await self.access.require(request, scopes.AUDIT)
        client_id, id_ = client_of(principal, request), request.path_params["transaction_id"]
        try:
            place = await self._find(client_id, id_)
            line = None if place is None else await read_record(self.archive, place)
        except (StorageError, BrokenChain) as error:
            raise _unreadable(error) from error
        if line is None:
            raise Problem(404, "unknown_transaction", "No decision of this client with this transaction_id is recorded")
        return Response(line, media_type=JSON)

    async def _find(self, client_id: str, id_: str) -> AuditPlace | None:
        if not is_token(client_id) or not is_token(id_):
            return None
        return await self.anchor.find(TRANSACTION_SCORED, client_id, id_)


def routes(api: Api) -> list[Route]:
    """The function's part of the public API."""
    return [
        Route("/audit/head", api.head, methods=["GET"]),
        Route("/audit/records/{transaction_id}", api.record, methods=["GET"]),
    ]


def _unreadable(error: Exception) -> Problem:
    log.error("audit log: %s", error)
    return unavailable("storage", "The audit log cannot be read now")
