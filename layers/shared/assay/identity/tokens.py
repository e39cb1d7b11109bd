"""Verifies access tokens: fixed algorithm, every claim required, checked in every function by itself."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import jwt

from assay.errors import AssayError
from assay.problems import Problem

log = logging.getLogger(__name__)
ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's media type, not a secret
REQUIRED_CLAIMS = ["exp", "iat", "iss", "aud", "sub", "jti"]
MAX_TOKEN = 4096
CACHE_SIZE = 4096
RELOAD_S = 60.0
"""Keys are read again after so long: one that was withdrawn is not honoured for longer."""
RELOAD_FOR_UNKNOWN_S = 1.0
"""A token may be signed with a newer key; made-up key ids must not make us read all the time."""

JwksSource = Callable[[], Awaitable[bytes | str]]
"""Reads the published keys, a JWKS. Raises `AssayError` or `OSError` when they cannot be read."""


class JwksError(AssayError):
    """What should be a JWKS is none."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and what it may do, until when (seconds since the epoch)."""

    subject: str
    scopes: frozenset[str]
    expires_at: float
    session: str | None = None
    """What the token ends with when it is revoked before its time; None: it cannot be."""
    role: str | None = None
    """Of a person; None for a service client."""


class TokenVerifier:
    """Checks bearer tokens against a JWKS. A verified token is remembered until it expires."""

    def __init__(self, source: JwksSource, issuer: str, audience: str, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._keys: dict[str, Any] = {}
        self._loaded_at = -RELOAD_S
        self._loading = asyncio.Lock()
        self._verified: dict[str, Principal] = {}

    async def load(self) -> None:
        """Reads the keys. Raises `AssayError` or `OSError`; then the keys from before stay."""
        keys = read_jwks(await self._source())
        self._loaded_at = self._clock()
        if not keys.keys() >= self._keys.keys():
            self._verified.clear()
        self._keys = keys

    async def authenticate(self, authorization: str | None) -> Principal:
        """The caller of a request, from its Authorization header. Raises `Problem` 401."""
        if authorization is None or authorization[:7].lower() != "bearer ":
            raise unauthorized("A bearer token is required")
        token = authorization[7:]
        now = self._clock()
        if not 0 <= now - self._loaded_at < RELOAD_S:
            await self._reload(RELOAD_S)
        principal = self._verified.get(token)
        if principal is None or principal.expires_at <= now:
            self._verified.pop(token, None)
            principal = await self._verify(token)
            if len(self._verified) >= CACHE_SIZE:
                self._verified.clear()
            self._verified[token] = principal
        return principal

    async def _reload(self, after_s: float) -> None:
        """Reads the keys again if the last time is long enough ago. When that fails, goes on with those it has."""
        async with self._loading:
            now = self._clock()
            if 0 <= now - self._loaded_at < after_s:
                return
            self._loaded_at = now
            try:
                await self.load()
            except (AssayError, OSError) as error:
                log.error("the keys of tokens cannot be read: %s", error)

    async def _verify(self, token: str) -> Principal:
        if len(token) > MAX_TOKEN or not token.isascii():
            raise unauthorized("The token is not valid")
        try:
            header = jwt.get_unverified_header(token)
            kid = str(header["kid"])
            if header.get("typ") != TOKEN_TYPE or header.get("alg") != ALGORITHM or "crit" in header:
                raise unauthorized("The token is not an access token")
            if kid not in self._keys:
                await self._reload(RELOAD_FOR_UNKNOWN_S)
            claims = jwt.decode(
                token,
                self._keys[kid],
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": REQUIRED_CLAIMS, "strict_aud": True},
            )
            return _principal(claims)
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, RecursionError):
            raise unauthorized("The token is not valid") from None


def read_jwks(document: bytes | str) -> dict[str, Any]:
    """Key id -> public key. Raises `JwksError`."""
    try:
        key_set = jwt.PyJWKSet.from_dict(json.loads(document))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise JwksError(f"not a JWKS: {str(error).partition(chr(10))[0]}") from error
    return {key.key_id: key.key for key in key_set.keys if key.key_id}


def unauthorized(detail: str) -> Problem:
    """401, with the challenge that goes with it."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="assay"'})


def _principal(claims: dict[str, Any]) -> Principal:
    scopes = frozenset(str(claims["scope"]).split())
    session, role = claims.get("sid"), claims.get("role")
    return Principal(
        subject=_name(claims["sub"]),
        scopes=scopes,
        expires_at=float(claims["exp"]),
        session=None if session is None else _name(session),
        role=None if role is None else _name(role),
    )


def _name(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 64:
        raise ValueError
    return value
