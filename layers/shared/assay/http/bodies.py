"""Reads a request's body, no further than is allowed."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from assay.http.application import JSON
from assay.problems import Problem
from assay.schemas.strict_json import MAX_BODY


async def read_body(request: Request, media_type: str = JSON) -> bytes:
    """The whole body, of this media type. Raises `Problem`: 400 (cut off), 413 (over 64 kB) or 415."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != media_type:
        raise Problem(415, "media_type", f"Content-Type should be {media_type}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "content_encoding", "The body should not be compressed")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY:
                raise _too_large()
            chunks.append(chunk)
    except ClientDisconnect:  # nobody reads the answer; it is no fault of ours either
        raise Problem(400, "incomplete", "The body ended early") from None
    return b"".join(chunks)


def _too_large() -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    detail = f"The body is longer than {MAX_BODY} bytes"
    return Problem(413, "body_too_large", detail, headers={"Connection": "close"})
