"""What the audit log's routes give. Not read while serving: the document is made of it beforehand."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from functions.audit_log.app import AuditHead

_CLIENT_ID = openapi.query_parameter(
    "client_id", {"type": "string"}, "The client that sent it. A person has to name it; a client gets its own."
)
_TEXT = {"type": "string"}
_RECORD: dict[str, Any] = {
    "type": "object",
    "description": "A line of the log, as it is in its object. docs/audit.md says what the hashes are over.",
    "required": ["hash", "sequence", "previous", "kind", "recorded_at", "client_id", "id", "event"],
    "properties": {
        **dict.fromkeys(("hash", "previous", "kind", "client_id", "id"), _TEXT),
        "sequence": {"type": "integer"},
        "recorded_at": {"type": "string", "format": "date-time"},
        "event": {"type": "object", "description": "The event as it was published."},
    },
}

_PATHS: dict[str, Any] = {
    "/audit/head": {
        "get": {
            "summary": "Where the audit log ends, to be written down elsewhere",
            "operationId": "audit_head",
            "security": openapi.SECURED,
            "responses": {
                "200": openapi.json("The last record's number and the last object's hash", openapi.ref(AuditHead)),
                **openapi.problems(401, 403, 503),
            },
        }
    },
    "/audit/records/{transaction_id}": {
        "get": {
            "summary": "What the audit log holds of a decision",
            "operationId": "audit_record",
            "security": openapi.SECURED,
            "parameters": [openapi.path_parameter("transaction_id"), _CLIENT_ID],
            "responses": {
                "200": openapi.json("The record", openapi.ref("AuditRecord")),
                **openapi.problems(401, 403, 404, 422, 503),
            },
        }
    },
}

DESCRIPTION = openapi.Description(_PATHS, outputs=(AuditHead,), schemas={"AuditRecord": _RECORD})
