"""Verifies access tokens: fixed algorithm, every claim required, checked in every function by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from assay.problems import Problem

ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's media type, not a secret
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "sub", "jti"]
MAX_TOKEN = 4096
CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the token's subject and what it may do, until when (seconds since the epoch)."""

    client_id: str
    scopes: frozenset[str]
    expires_at: float


class TokenVerifier:
    """Checks bearer tokens against a JWKS. A verified token is remembered until it expires."""

    def __init__(
        self, keys: Mapping[str, Any], issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._verified: dict[str, Principal] = {}

    @classmethod
    def from_jwks(cls, document: bytes | str, issuer: str, audience: str) -> TokenVerifier:
        """`document`: a JWKS. Raises `jwt.PyJWTError` or `ValueError` when it is not one."""
        key_set = jwt.PyJWKSet.from_dict(json.loads(document))
        return cls({key.key_id: key.key for key in key_set.keys if key.key_id}, issuer, audience)

    def authenticate(self, authorization: str | None, scope: str) -> Principal:
        """The caller of a request, from its Authorization header. Raises `Problem` 401 or 403."""
        if authorization is None or authorization[:7].lower() != "bearer ":
            raise _unauthorized("A bearer token is required")
        token = authorization[7:]
        principal = self._verified.get(token)
        if principal is None or principal.expires_at <= self._clock():
            self._verified.pop(token, None)
            principal = self._verify(token)
            if len(self._verified) >= CACHE_SIZE:
                self._verified.clear()
            self._verified[token] = principal
        if scope not in principal.scopes:
            raise Problem(403, "scope", f"The token lacks the scope {scope}")
        return principal

    def _verify(self, token: str) -> Principal:
        if len(token) > MAX_TOKEN or not token.isascii():
            raise _unauthorized("The token is not valid")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys[str(header["kid"])]
            if header.get("typ") != TOKEN_TYPE or header.get("alg") != ALGORITHM or "crit" in header:
                raise _unauthorized("The token is not an access token")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": REQUIRED_CLAIMS, "strict_aud": True},
            )
            return Principal(_subject(claims), frozenset(str(claims["scope"]).split()), float(claims["exp"]))
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, RecursionError):
            raise _unauthorized("The token is not valid") from None


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= 64:
        raise ValueError
    return subject


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="assay"'})
