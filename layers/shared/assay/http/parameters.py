"""Identifiers in paths that are kept: as strict as in a body."""

from __future__ import annotations

from starlette.requests import Request

from assay.problems import FieldError, Problem
from assay.schemas.base import is_token
from assay.schemas.card_numbers import contains_card_number


def account_in_path(request: Request) -> str:
    """`account_id`. Raises `Problem` 422."""
    found: str = request.path_params["account_id"]
    if not is_token(found):
        raise _refused("token", "1 to 64 of A-Z a-z 0-9 . _ : -")
    if contains_card_number(found):
        raise _refused("card_number", "Looks like a card number; send a token")
    return found


def _refused(code: str, detail: str) -> Problem:
    return Problem(422, "validation", "Not valid: account_id", [FieldError("account_id", code, detail)])
