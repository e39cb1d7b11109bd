"""The token endpoint of OAuth 2 (RFC 6749), for client credentials only."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from assay.schemas.base import IDENTIFIER

FORM = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 20
MAX_SECRET = 256


@dataclass(slots=True)
class OAuthError(Exception):
    """An error as RFC 6749 section 5.2 spells it."""

    error: str
    description: str
    status: int = 400
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Who wants a token, and what for; no scopes: for everything it may."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...] | None


def invalid_client() -> OAuthError:
    """The client is not known, or that is not its secret, or it is disabled: it is not told which."""
    challenge = {"WWW-Authenticate": 'Basic realm="assay"'}
    return OAuthError("invalid_client", "The client's id or secret is wrong", 401, challenge)


def read_token_request(body: bytes, authorization: str | None) -> TokenRequest:
    """The request in a form. Raises `OAuthError`."""
    form = _form(body)
    if "grant_type" not in form:
        raise _invalid_request("grant_type is missing")
    if form["grant_type"] != "client_credentials":
        raise OAuthError("unsupported_grant_type", "grant_type should be client_credentials")
    client_id, client_secret = _credentials(form, authorization)
    if not re.fullmatch(IDENTIFIER, client_id) or not len(client_id) <= 64 or not len(client_secret) <= MAX_SECRET:
        raise invalid_client()
    scope = form.get("scope")
    return TokenRequest(client_id, client_secret, None if scope is None else tuple(dict.fromkeys(scope.split())))


def _form(body: bytes) -> dict[str, str]:
    """Its parameters; one without a value is not there, as the RFC has it."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise _invalid_request("The body is not a form") from None
    if len(dict(pairs)) != len(pairs):
        raise _invalid_request("A parameter is there twice")
    return {name: value for name, value in pairs if value}


def _credentials(form: dict[str, str], authorization: str | None) -> tuple[str, str]:
    in_body = "client_id" in form or "client_secret" in form
    if authorization is not None and in_body:
        raise _invalid_request("The client's credentials are there twice")
    if authorization is not None:
        return _basic(authorization)
    if "client_id" not in form or "client_secret" not in form:
        raise invalid_client()
    return form["client_id"], form["client_secret"]


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_client() from None
    client_id, colon, client_secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise invalid_client()
    return unquote_plus(client_id), unquote_plus(client_secret)


def _invalid_request(description: str) -> OAuthError:
    return OAuthError("invalid_request", description)
