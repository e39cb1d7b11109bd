"""What the orchestrator's routes take and give. Not read while serving: the document is made of it beforehand."""

from __future__ import annotations

from typing import Any

from assay.http import openapi
from assay.schemas.geoip import GeoIpResult
from assay.schemas.login import LoginEvent
from assay.schemas.transaction import FlatTransaction, TransactionRequest
from assay.schemas.verdict import FraudVerdict

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
_EXPLAIN = openapi.query_parameter(
    "explain",
    {"type": "string", "enum": ["true", "false"]},
    "Compute every model's contributions, even where they could not matter.",
)
_CLIENT_ID = openapi.query_parameter(
    "client_id", {"type": "string"}, "The client that sent it. A person has to name it; a client gets its own."
)
_IP = openapi.path_parameter(
    "ip",
    {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    "IPv4 or IPv6. `::ffff:8.8.8.8` is 8.8.8.8; a zone (`%eth0`) is ignored.",
)

_PATHS: dict[str, Any] = {
    "/score": {
        "post": {
            "summary": "Decide one transaction",
            "operationId": "score",
            "security": openapi.SECURED,
            "parameters": [_EXPLAIN],
            "requestBody": openapi.body(TransactionRequest, FlatTransaction),
            "responses": {
                "200": openapi.json("The verdict", openapi.ref(FraudVerdict)),
                **openapi.problems(400, 401, 403, 409, 413, 415, 422, 502, 503),
            },
        }
    },
    "/decisions/{transaction_id}": {
        "get": {
            "summary": "The verdict given before, byte for byte",
            "operationId": "decision",
            "security": openapi.SECURED,
            "parameters": [openapi.path_parameter("transaction_id"), _CLIENT_ID],
            "responses": {
                "200": openapi.json("The verdict", openapi.ref(FraudVerdict)),
                **openapi.problems(401, 403, 404, 422, 503),
            },
        }
    },
    "/geoip/{ip}": {
        "get": {
            "summary": "Country and network of an address, as verdicts use them",
            "operationId": "geoip",
            "security": openapi.SECURED,
            "parameters": [_IP],
            "responses": {
                "200": openapi.json("What is known; a private address is unknown", openapi.ref(GeoIpResult)),
                **openapi.problems(401, 403, 422, 502, 503),
            },
        }
    },
    "/events/logins": {
        "post": {
            "summary": "Tell of one login attempt",
            "operationId": "login",
            "security": openapi.SECURED,
            "requestBody": openapi.body(LoginEvent),
            "responses": {
                "202": openapi.json("Counted; `recorded` is false for an event known already", _RECORDED),
                **openapi.problems(400, 401, 403, 413, 415, 422, 503),
            },
        }
    },
    "/health": {
        "get": {
            "summary": "The process answers",
            "operationId": "health",
            "responses": {"200": openapi.json("It does", _STATUS)},
        }
    },
    "/ready": {
        "get": {
            "summary": "Everything a verdict needs is in order",
            "operationId": "ready",
            "responses": {"200": openapi.json("It is", _READY), **openapi.problems(503)},
        }
    },
}

DESCRIPTION = openapi.Description(
    _PATHS, (TransactionRequest, FlatTransaction, LoginEvent), (FraudVerdict, GeoIpResult)
)
