"""Reads a request body as JSON, refusing what `json.loads` lets through.

Refused: another encoding than UTF-8, duplicate keys, NaN and infinities, numbers out of range, nesting without end,
and card numbers (`assay.schemas.card_numbers`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Container
from typing import Any, NoReturn

from assay.problems import FieldError, Problem, safe_name
from assay.schemas.card_numbers import find_card_number

MAX_BODY = 64 * 1024


class _RefusedError(ValueError):
    """Carries the field's name out of the decoder's hooks."""

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.field = field


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _RefusedError("duplicate_key", "The same key twice", safe_name(name))
            seen.add(name)
    return document


def _no_constant(_: str) -> NoReturn:
    raise _RefusedError("not_finite", "NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _RefusedError("not_finite", "A number is out of range")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


def parse_object(body: bytes, limit: int = MAX_BODY, phones: Container[str] = ()) -> dict[str, Any]:
    """The body's JSON object. `phones`: fields of telephone numbers, of which many would pass for card numbers.

    Raises `Problem` 413 (longer than `limit` bytes), 400 (not such JSON) or 422 (a card number, field named).
    """
    if len(body) > limit:
        raise Problem(413, "body_too_large", f"The body is longer than {limit} bytes")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Problem(400, "encoding", "The body is not UTF-8") from None
    try:
        document = _DECODER.decode(text)
    except _RefusedError as refused:
        raise Problem(
            400, refused.code, str(refused), [FieldError(refused.field, refused.code, str(refused))]
        ) from None
    except (ValueError, RecursionError) as error:
        detail = (
            f"{error.msg} at offset {error.pos}" if isinstance(error, json.JSONDecodeError) else "Not readable JSON"
        )
        raise Problem(400, "malformed_json", detail) from None
    if type(document) is not dict:
        raise Problem(422, "validation", "The body should be a JSON object", [FieldError("", "object", "an object")])
    if phones:
        field = find_card_number({name: value for name, value in document.items() if name not in phones})
    else:
        field = find_card_number(document, text)
    if field is not None:
        raise Problem(
            422, "card_number", "Looks like a card number; send a token", [FieldError(field, "card_number", "refused")]
        )
    return document
