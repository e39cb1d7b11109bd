"""What the alerts' route takes and gives. Not read while serving: the document is made of it beforehand."""

from __future__ import annotations

from typing import Any

from assay.alerts.records import State
from assay.http import openapi
from functions.alerts.app import CURSOR, MAX_PAGE, AlertPage

_STATES = {"type": "string", "enum": [state.value for state in State]}
_ROUTE = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,31}$"}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50}

_PATHS: dict[str, Any] = {
    "/alerts": {
        "get": {
            "summary": "What people were told of, newest first",
            "description": "A client sees the alerts about its own transactions, a person all of them.",
            "operationId": "alerts",
            "security": openapi.SECURED,
            "parameters": [
                openapi.query_parameter("after", {"type": "string", "pattern": CURSOR}, "`next` of the page before."),
                openapi.query_parameter("limit", _LIMIT, "Alerts per page."),
                openapi.query_parameter("route", _ROUTE, "Of this route only."),
                openapi.query_parameter("status", _STATES, "With a delivery in this state only."),
            ],
            "responses": {
                "200": openapi.json("One page", openapi.ref(AlertPage)),
                **openapi.problems(401, 403, 422, 503),
            },
        }
    }
}

DESCRIPTION = openapi.Description(_PATHS, outputs=(AlertPage,))
