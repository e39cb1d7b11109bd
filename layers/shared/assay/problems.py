"""What a caller is told when a request is not served: RFC 9457 problems, in one shape, from one place.

A problem names the field and never echoes a value: the value may be a card number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    502: "A stage failed",
    503: "Unavailable",
}
SAFE_NAME = re.compile(r"(?!.*\d(?:_?\d){7})[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
"""Not a name with eight digits in a row: a card number can be spelled as one."""
MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. `field` is a dotted path, empty for the body itself."""

    field: str
    code: str
    detail: str


@dataclass(slots=True)
class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """A refused or failed request. `code` is stable and machine-readable; `detail` is for a person."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: dict[str, str] = field(default_factory=dict)
    extensions: Mapping[str, int] = field(default_factory=dict)
    """Further members of the document: numbers that a program goes on with."""

    def to_json(self) -> bytes:
        """The body, UTF-8."""
        document: dict[str, object] = {
            "type": f"urn:assay:problem:{self.code}",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            **self.extensions,
        }
        if self.errors:
            document["errors"] = [
                {"field": error.field, "code": error.code, "detail": error.detail} for error in self.errors
            ]
        return json.dumps(document, separators=(",", ":")).encode()


def unavailable(code: str, detail: str, retry_after_s: int = 1) -> Problem:
    """503 with Retry-After: our own fault, worth another try."""
    return Problem(503, code, detail, headers={"Retry-After": str(retry_after_s)})


def from_validation(error: ValidationError) -> Problem:
    """422 with every wrong field (at most 20), none of its values."""
    found = error.errors(include_url=False, include_input=False)
    fields = [FieldError(_path(_location(e)), e["type"], e["msg"]) for e in found[:MAX_ERRORS]]
    names = ", ".join(dict.fromkeys(f.field or "body" for f in fields))
    return Problem(422, "validation", f"Not valid: {names}", fields)


def safe_name(name: object) -> str:
    """A field's name as sent, if it can be shown; names come from outside too."""
    if isinstance(name, int):
        return str(name)
    return name if isinstance(name, str) and SAFE_NAME.fullmatch(name) else "(unprintable name)"


def _location(error: ErrorDetails) -> Sequence[int | str]:
    """Where the error is; one that concerns several fields names the wrong one in its context."""
    field = error.get("ctx", {}).get("field")
    return (*error["loc"], field) if isinstance(field, str) else error["loc"]


def _path(location: Sequence[int | str]) -> str:
    return ".".join(safe_name(part) for part in location)
