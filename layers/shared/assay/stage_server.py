"""The Lambda entry of a stage, invoked directly or by an HTTP event (function URL, HTTP API; formats 1.0 and 2.0)."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from assay.errors import RequestError
from assay.problems import MEDIA_TYPE, Problem, from_validation
from assay.schemas.base import Contract
from assay.schemas.strict_json import parse_object
from assay.stages import Handler, Stage

log = logging.getLogger(__name__)

JSON = "application/json"
METHODS = {"/": "POST", "/health": "GET"}
MAX_REQUEST = 1 << 20
"""Bytes: a decision request carries the texts of every rule that fired, and a release may hold 500 rules."""

LambdaHandler = Callable[[Any, Any], dict[str, Any]]
"""(event, context) -> answer, of plain JSON types."""


def stage_handler(stage: Stage[Any, Any], handle: Handler) -> LambdaHandler:
    """The Lambda entry of a stage: the JSON of its request in, of its response out.

    Invoked directly, it raises `RequestError` for an invalid request and lets faults through: the caller sees
    `FunctionError`. An HTTP event is always answered, with a problem if need be.
    """

    def entry(event: Any, _: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON may arrive
        if isinstance(event, dict) and isinstance(event.get("requestContext"), dict):
            return _served(stage, handle, event)
        return _plain(handle(_invoked(stage, event)))

    return entry


def _invoked(stage: Stage[Any, Any], event: object) -> Contract:
    try:
        return _request(stage, event)
    except Problem as problem:
        details = [f"{error.field or 'body'}: {error.detail}" for error in problem.errors] or [problem.detail]
        raise RequestError(f"{stage.name}: not valid: {'; '.join(details)}") from None


def _request(stage: Stage[Any, Any], document: object) -> Contract:
    """By way of JSON: only there does strict validation take the text of an enumeration. Some 30 us. Raises Problem."""
    try:
        text = json.dumps(document, allow_nan=False)
    except (ValueError, RecursionError):
        raise Problem(422, "validation", "Not valid: not a finite number, or nested without end") from None
    try:
        request: Contract = stage.request_type.model_validate_json(text)
    except ValidationError as error:
        raise from_validation(error) from None
    return request


def _plain(response: Contract) -> dict[str, Any]:
    return response.model_dump(mode="json")


def _served(stage: Stage[Any, Any], handle: Handler, event: dict[str, Any]) -> dict[str, Any]:
    try:
        return _routed(stage, handle, event)
    except Problem as problem:
        return _answer(problem.status, problem.to_json(), MEDIA_TYPE, problem.headers)
    except Exception:
        log.exception("stage %s failed", stage.name)
        failed = Problem(502, "stage_failed", f"The stage {stage.name} failed")
        return _answer(failed.status, failed.to_json(), MEDIA_TYPE)


def _routed(stage: Stage[Any, Any], handle: Handler, event: dict[str, Any]) -> dict[str, Any]:
    method, path = _method_and_path(event)
    allowed = METHODS.get(path)
    if allowed is None:
        raise Problem(404, "not_found", "There is nothing here")
    if method != allowed:
        raise Problem(405, "method_not_allowed", f"Only {allowed} is allowed here", headers={"Allow": allowed})
    if path == "/health":
        return _answer(200, b'{"status":"ok"}')
    request = _request(stage, parse_object(_body(event), MAX_REQUEST))
    return _answer(200, handle(request).model_dump_json().encode())


def _method_and_path(event: dict[str, Any]) -> tuple[object, str]:
    """Format 2.0 has them in `requestContext.http`, format 1.0 at the top."""
    http = event["requestContext"].get("http")
    if isinstance(http, dict):
        return http.get("method"), str(event.get("rawPath") or "/")
    return event.get("httpMethod"), str(event.get("path") or "/")


def _body(event: dict[str, Any]) -> bytes:
    headers = event.get("headers")
    given = {str(name).lower(): value for name, value in headers.items()} if isinstance(headers, dict) else {}
    if str(given.get("content-type")).partition(";")[0].strip().lower() != JSON:
        raise Problem(415, "media_type", f"Content-Type should be {JSON}")
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise Problem(400, "malformed_event", "The event's body should be text")
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")  # so that what is not UTF-8 is refused where all bodies are
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise Problem(400, "malformed_event", "The event's body should be base64") from None


def _answer(status: int, body: bytes, media_type: str = JSON, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": media_type, **(headers or {})},
        "body": body.decode(),
        "isBase64Encoded": False,
    }
