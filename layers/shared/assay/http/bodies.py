"""Reads a request's body, no further than is allowed, and answers with one."""

from __future__ import annotations

from collections.abc import Container
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from assay.http.application import JSON
from assay.problems import Problem, from_validation
from assay.schemas.strict_json import MAX_BODY, parse_object

Body = TypeVar("Body", bound=BaseModel)


async def read_model(request: Request, model: type[Body], phones: Container[str] = ()) -> Body:
    """The strict JSON body as the model. `phones`: as in `parse_object`. Raises `Problem`."""
    try:
        return model.model_validate(parse_object(await read_body(request), phones=phones))
    except ValidationError as error:
        raise from_validation(error) from None


def json_response(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The model as JSON."""
    return Response(answer.model_dump_json(), status, headers, JSON)


async def read_body(request: Request, media_type: str = JSON, limit: int = MAX_BODY) -> bytes:
    """The whole body, of this media type. Raises `Problem`: 400 (cut off), 413 (over `limit` bytes) or 415."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != media_type:
        raise Problem(415, "media_type", f"Content-Type should be {media_type}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "content_encoding", "The body should not be compressed")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
    except ClientDisconnect:  # nobody reads the answer; it is no fault of ours either
        raise Problem(400, "incomplete", "The body ended early") from None
    return b"".join(chunks)


def _too_large(limit: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    detail = f"The body is longer than {limit} bytes"
    return Problem(413, "body_too_large", detail, headers={"Connection": "close"})
