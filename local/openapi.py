"""The OpenAPI document of the whole public API, of what each function says of its routes. `python -m local.openapi`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import assay.http
from assay.http.openapi import PROBLEM, Description
from functions.action_layer import openapi as action_layer
from functions.alerts import openapi as alerts
from functions.audit_log import openapi as audit_log
from functions.challenges import openapi as challenges
from functions.client_events import openapi as client_events
from functions.orchestrator import openapi as orchestrator
from functions.post_auth_intelligence import openapi as post_auth_intelligence
from functions.post_auth_intelligence import reports_openapi
from functions.users import openapi as users

FILE = Path(assay.http.__path__[0]) / "openapi.json"
PARTS = (
    orchestrator.DESCRIPTION,
    action_layer.DESCRIPTION,
    challenges.DESCRIPTION,
    client_events.DESCRIPTION,
    users.DESCRIPTION,
    post_auth_intelligence.DESCRIPTION,
    reports_openapi.DESCRIPTION,
    alerts.DESCRIPTION,
    audit_log.DESCRIPTION,
)
TEXT = """Real-time fraud decisions for payments.

Send one transaction to `POST /score`; the answer is APPROVE, CHALLENGE or DECLINE with the reasons. The same
`transaction_id` with the same body always gets the same bytes; with another body it gets 409. Errors are RFC 9457
problems that name the field and never repeat its value."""


def document() -> dict[str, Any]:
    """The document, with the schemas of the contracts."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for part in PARTS:
        paths |= part.paths
        _add(schemas, _schemas(part))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Assay", "version": version("assay"), "description": TEXT},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1) + "\n"


def _add(schemas: dict[str, Any], added: dict[str, Any]) -> None:
    """Two models of one name would become one."""
    for name, schema in added.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"{name} is the name of two schemas")


def _schemas(part: Description) -> dict[str, Any]:
    return {**_of(part.outputs, "serialization"), **_of(part.inputs, "validation"), **part.schemas}


def _of(models: Iterable[type[BaseModel]], mode: JsonSchemaMode) -> dict[str, Any]:
    template = "#/components/schemas/{model}"
    _, found = models_json_schema([(model, mode) for model in models], ref_template=template)
    defined: dict[str, Any] = found.get("$defs", {})
    return defined


if __name__ == "__main__":
    FILE.write_text(text())
