"""Pieces of an OpenAPI document. Routes parse by themselves, so what they take and give is declared beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from assay.problems import MEDIA_TYPE

Schema = dict[str, Any]
SECURED: list[dict[str, list[str]]] = [{"bearer": []}]
PROBLEM: Schema = {
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
_RETRY = {"Retry-After": {"required": True, "description": "Seconds to wait", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_HEADERS: dict[int, dict[str, Any]] = {401: _CHALLENGE, 429: _RETRY, 502: _RETRY, 503: _RETRY}
_DESCRIBED = {
    400: "The body is not strict UTF-8 JSON",
    401: "No valid token",
    403: "The token lacks the scope",
    404: "There is none",
    409: "It conflicts with what is there",
    413: "The body is longer than 64 kB",
    415: "The body is not of the right media type, or is compressed",
    422: "A field is not valid; it is named",
    429: "Too many attempts; try again after Retry-After",
    502: "A stage the verdict needs has failed",
    503: "Not now; try again after Retry-After",
}


@dataclass(frozen=True, slots=True)
class Description:
    """What a function adds to the document of the public API."""

    paths: Mapping[str, Any]
    inputs: tuple[type[BaseModel], ...] = ()
    """Models of what it takes."""
    outputs: tuple[type[BaseModel], ...] = ()
    """Models of what it gives."""
    schemas: Mapping[str, Schema] = field(default_factory=dict)


def ref(model: type[BaseModel] | str) -> Schema:
    """A reference to the model's schema."""
    return {"$ref": f"#/components/schemas/{model if isinstance(model, str) else model.__name__}"}


def body(*models: type[BaseModel], media_type: str = "application/json") -> Schema:
    """A request body that is one of the models."""
    refs = [ref(model) for model in models]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"required": True, "content": {media_type: {"schema": schema}}}


def json(description: str, schema: Schema) -> Schema:
    """An answer of JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def problems(*statuses: int, **described: str) -> dict[str, Schema]:
    """Answers that are problems. `described`: `s409="..."` says what a status means here."""
    content = {MEDIA_TYPE: {"schema": ref("Problem")}}
    return {
        str(status): {
            "description": described.get(f"s{status}", _DESCRIBED[status]),
            "headers": _HEADERS.get(status, {}),
            "content": content,
        }
        for status in statuses
    }


def path_parameter(name: str, schema: Schema | None = None, description: str = "") -> Schema:
    """A parameter in the path: text, unless a schema says more."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": schema or {"type": "string"},
        **({"description": description} if description else {}),
    }


def query_parameter(name: str, schema: Schema, description: str) -> Schema:
    """An optional parameter in the query."""
    return {"name": name, "in": "query", "description": description, "schema": schema}
