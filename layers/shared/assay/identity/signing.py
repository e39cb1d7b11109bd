"""The keys that sign access tokens, and the tokens themselves. Private keys stay with whoever issues tokens."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, replace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from assay.errors import AssayError
from assay.identity.tokens import ALGORITHM, TOKEN_TYPE

TOKEN_LIFE_S = 300
"""Of an access token, unless whoever mints it says otherwise."""
LONGEST_LIFE_S = 86_400
"""Of any access token. A retired key is published for as long, so that what it signed stays valid until it expires."""


class SigningKeysError(AssayError):
    """The signing keys cannot be used. The message names where they are."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; times in seconds since the epoch."""

    private: Ed25519PrivateKey
    created_at: int
    retired_at: int | None = None

    def jwk(self) -> dict[str, str]:
        """The public half, named by its RFC 7638 thumbprint."""
        jwk: dict[str, str] = OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        thumbprint = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
        return {**jwk, "kid": hashlib.sha256(thumbprint.encode()).hexdigest()[:16], "use": "sig", "alg": ALGORITHM}

    def to_dict(self) -> dict[str, Any]:
        """With the private half: a secret."""
        jwk: dict[str, str] = OKPAlgorithm.to_jwk(self.private, as_dict=True)
        return {"jwk": jwk, "created_at": self.created_at, "retired_at": self.retired_at}


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The key that signs, first, and those before it whose tokens are still good."""

    keys: tuple[SigningKey, ...]

    @classmethod
    def new(cls, now: float) -> KeyRing:
        """A ring with a fresh key."""
        return cls((SigningKey(Ed25519PrivateKey.generate(), int(now)),))

    def rotated(self, now: float, *, withdraw: bool = False) -> KeyRing:
        """A fresh key signs from now on. `withdraw`: what the others have signed is void at once."""
        fresh = SigningKey(Ed25519PrivateKey.generate(), int(now))
        if withdraw:
            return KeyRing((fresh,))
        retired = (replace(key, retired_at=key.retired_at or int(now)) for key in self.keys)
        return KeyRing((fresh, *(key for key in retired if _is_published(key, now))))

    def jwks(self, now: float) -> str:
        """The public halves, as a JWKS: what verifies the tokens elsewhere."""
        return json.dumps({"keys": [key.jwk() for key in self.keys if _is_published(key, now)]})

    def to_json(self) -> str:
        """With the private halves: a secret."""
        return json.dumps({"keys": [key.to_dict() for key in self.keys]})

    @classmethod
    def from_json(cls, document: str | bytes, place: str) -> KeyRing:
        """What `to_json` gave. Raises `SigningKeysError` that names the place, never the content."""
        try:
            return cls(tuple(_key(entry) for entry in json.loads(document)["keys"]))._not_empty()
        except (ValueError, KeyError, TypeError, jwt.PyJWTError):
            raise SigningKeysError(f"{place}: not a set of signing keys; remove it to have a new one made") from None

    def _not_empty(self) -> KeyRing:
        if not self.keys:
            raise ValueError
        return self


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs access tokens in this name, for this audience."""

    name: str
    audience: str

    def mint(
        self,
        ring: KeyRing,
        subject: str,
        scopes: tuple[str, ...],
        ttl_s: int = TOKEN_LIFE_S,
        session: str | None = None,
        role: str | None = None,
    ) -> str:
        """A signed access token (RFC 9068)."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.name,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "exp": now + min(ttl_s, LONGEST_LIFE_S),
            "jti": secrets.token_urlsafe(12),
            "scope": " ".join(scopes),
        }
        claims |= {name: value for name, value in (("sid", session), ("role", role)) if value is not None}
        key = ring.keys[0]
        headers = {"kid": key.jwk()["kid"], "typ": TOKEN_TYPE}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers=headers)


def _is_published(key: SigningKey, now: float) -> bool:
    return key.retired_at is None or now < key.retired_at + LONGEST_LIFE_S


def _key(entry: dict[str, Any]) -> SigningKey:
    private = OKPAlgorithm.from_jwk(entry["jwk"])
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError
    return SigningKey(private, entry["created_at"], entry["retired_at"])
