"""What the routes of accounts take and give. Not read while serving: the document is made of it beforehand."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from assay.schemas.base import IDENTIFIER
from functions.action_layer.app import AccountStatus, ReleaseRequest

_ACCOUNT_ID = openapi.path_parameter(
    "account_id", {"type": "string", "minLength": 1, "maxLength": 64, "pattern": IDENTIFIER}
)

_PATHS: dict[str, Any] = {
    "/accounts/{account_id}/status": {
        "get": {
            "summary": "Whether an account's transactions are declined, until when and why",
            "operationId": "account_status",
            "security": openapi.SECURED,
            "parameters": [_ACCOUNT_ID],
            "responses": {
                "200": openapi.json("Its state", openapi.ref(AccountStatus)),
                **openapi.problems(401, 403, 422, 503),
            },
        }
    },
    "/accounts/{account_id}/release": {
        "post": {
            "summary": "End an account's freeze",
            "description": "For persons: an analyst, a lead or an admin. The cards are unblocked.",
            "operationId": "release_account",
            "security": openapi.SECURED,
            "parameters": [_ACCOUNT_ID],
            "requestBody": openapi.body(ReleaseRequest),
            "responses": {
                "200": openapi.json("Its new state", openapi.ref(AccountStatus)),
                **openapi.problems(
                    400, 401, 403, 409, 413, 415, 422, 503, s409="The account is neither frozen nor blocked"
                ),
            },
        }
    },
}

DESCRIPTION = openapi.Description(_PATHS, inputs=(ReleaseRequest,), outputs=(AccountStatus,))
