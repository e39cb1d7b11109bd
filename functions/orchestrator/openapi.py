"""What the API says of itself. The routes parse by themselves, so their schemas are declared here, once."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from assay.problems import MEDIA_TYPE
from assay.schemas.geoip import GeoIpResult
from assay.schemas.login import LoginEvent
from assay.schemas.transaction import FlatTransaction, TransactionRequest
from assay.schemas.verdict import FraudVerdict

VERSION = "0.1.0"
"""The project's, written here because an image holds the sources of the project but does not have it installed."""
DESCRIPTION = """Real-time fraud decisions for payments.

Send one transaction to `POST /score`; the answer is APPROVE, CHALLENGE or DECLINE with the reasons. The same
`transaction_id` with the same body always gets the same bytes; with another body it gets 409. Errors are RFC 9457
problems that name the field and never repeat its value."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Assay</title>
<link rel="stylesheet" href="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#docs"})</script>
</body>
</html>
"""
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("field", "code", "detail")},
            },
        },
    },
}
MODELS = (TransactionRequest, FlatTransaction, LoginEvent)


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _problems(*statuses: int) -> dict[str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {
        str(status): {"description": _DESCRIBED[status], "headers": _HEADERS.get(status, {}), "content": content}
        for status in statuses
    }


_RETRY = {"Retry-After": {"required": True, "description": "Seconds to wait", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_HEADERS: dict[int, dict[str, Any]] = {401: _CHALLENGE, 502: _RETRY, 503: _RETRY}
_DESCRIBED = {
    400: "The body is not strict UTF-8 JSON",
    401: "No valid token",
    403: "The token lacks the scope",
    404: "No such decision",
    409: "The transaction_id was used with another body",
    413: "The body is longer than 64 kB",
    415: "The body is not application/json, or is compressed",
    422: "A field is not valid; it is named",
    502: "A stage the verdict needs has failed",
    503: "No verdict now; try again after Retry-After",
}


def _body(*names: str) -> dict[str, Any]:
    refs = [_ref(name) for name in names]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_STATUS: dict[str, Any] = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
_READY = {
    **_STATUS,
    "properties": {
        **_STATUS["properties"],
        "notes": {
            "type": "object",
            "description": "What verdicts do without, part by part; absent when they have everything.",
            "additionalProperties": {"type": "string"},
        },
    },
}
_RECORDED = {"type": "object", "required": ["recorded"], "properties": {"recorded": {"type": "boolean"}}}
_SECURED: list[dict[str, list[str]]] = [{"bearer": []}]
_EXPLAIN = {
    "name": "explain",
    "in": "query",
    "description": "Compute every model's contributions, even where they could not matter.",
    "schema": {"type": "string", "enum": ["true", "false"]},
}

_TRANSACTION_ID = {
    "name": "transaction_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
}

_IP = {
    "name": "ip",
    "in": "path",
    "required": True,
    "description": "IPv4 or IPv6. `::ffff:8.8.8.8` is 8.8.8.8; a zone (`%eth0`) is ignored.",
    "schema": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
}

PATHS: dict[str, Any] = {
    "/score": {
        "post": {
            "summary": "Decide one transaction",
            "operationId": "score",
            "security": _SECURED,
            "parameters": [_EXPLAIN],
            "requestBody": _body("TransactionRequest", "FlatTransaction"),
            "responses": {
                "200": _json("The verdict", _ref("FraudVerdict")),
                **_problems(400, 401, 403, 409, 413, 415, 422, 502, 503),
            },
        }
    },
    "/decisions/{transaction_id}": {
        "get": {
            "summary": "The verdict given before, byte for byte",
            "operationId": "decision",
            "security": _SECURED,
            "parameters": [_TRANSACTION_ID],
            "responses": {"200": _json("The verdict", _ref("FraudVerdict")), **_problems(401, 403, 404, 503)},
        }
    },
    "/geoip/{ip}": {
        "get": {
            "summary": "Country and network of an address, as verdicts use them",
            "operationId": "geoip",
            "security": _SECURED,
            "parameters": [_IP],
            "responses": {
                "200": _json("What is known; a private or unlisted address is unknown", _ref("GeoIpResult")),
                **_problems(401, 403, 422, 502, 503),
            },
        }
    },
    "/events/logins": {
        "post": {
            "summary": "Tell of one login attempt",
            "operationId": "login",
            "security": _SECURED,
            "requestBody": _body("LoginEvent"),
            "responses": {
                "202": _json("Counted; `recorded` is false for an event known already", _RECORDED),
                **_problems(400, 401, 403, 413, 415, 422, 503),
            },
        }
    },
    "/health": {
        "get": {
            "summary": "The process answers",
            "operationId": "health",
            "responses": {"200": _json("It does", _STATUS)},
        }
    },
    "/ready": {
        "get": {
            "summary": "Everything a verdict needs is in order",
            "operationId": "ready",
            "responses": {"200": _json("It is", _READY), **_problems(503)},
        }
    },
}


def document() -> dict[str, Any]:
    """The OpenAPI document, with the schemas of the contracts."""
    template = "#/components/schemas/{model}"
    _, inputs = models_json_schema([(model, "validation") for model in MODELS], ref_template=template)
    _, outputs = models_json_schema(
        [(FraudVerdict, "serialization"), (GeoIpResult, "serialization")], ref_template=template
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Assay", "version": VERSION, "description": DESCRIPTION},
        "paths": PATHS,
        "components": {
            "schemas": {**outputs.get("$defs", {}), **inputs.get("$defs", {}), "Problem": PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
