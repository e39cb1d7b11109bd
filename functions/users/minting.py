"""Access tokens, signed with the newest key there is."""

from __future__ import annotations

import hashlib
import secrets
import time

from assay.identity.ports import SigningKeys
from assay.identity.signing import TOKEN_LIFE_S, Issuer, KeyRing, SigningKeysError
from assay.problems import unavailable
from functions.users.contracts import AccessToken


class Mint:
    """Signs. The keys are read each time, so that a rotation is effective at once."""

    def __init__(self, keys: SigningKeys, issuer: Issuer) -> None:
        self._keys = keys
        self._issuer = issuer

    async def token(self, subject: str, scopes: tuple[str, ...], session: str, role: str | None = None) -> AccessToken:
        """A token that is good for five minutes, or until the session is revoked. Raises `Problem` 503."""
        ring = await self._ring()
        token = self._issuer.mint(ring, subject, scopes, TOKEN_LIFE_S, session, role)
        return AccessToken(access_token=token, expires_in=TOKEN_LIFE_S, scope=" ".join(scopes))

    async def jwks(self) -> str:
        """The published keys. Raises `Problem` 503."""
        return (await self._ring()).jwks(time.time())

    async def _ring(self) -> KeyRing:
        try:
            return await self._keys.ring()
        except (SigningKeysError, OSError) as error:
            raise unavailable("signing_keys", "The signing keys cannot be read now") from error


def new_secret() -> str:
    """256 bits from the system's random generator, to be shown once."""
    return secrets.token_urlsafe(32)


def new_session() -> str:
    """The id that tokens are revoked by."""
    return f"ses_{secrets.token_hex(12)}"


def digest(secret: str) -> bytes:
    """As a random secret is kept: there is nothing to guess, so nothing slow is needed."""
    return hashlib.sha256(secret.encode()).digest()
