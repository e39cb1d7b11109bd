"""The embedded installation's own token issuer: a key in the data folder, tokens for its clients."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from pathlib import Path

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from assay.errors import AssayError
from assay.security import ALGORITHM, TOKEN_TYPE, TokenVerifier

ISSUER = "assay-embedded"
AUDIENCE = "assay"
SCOPES = ("score:write", "decisions:read", "events:write")


class KeyFileError(AssayError):
    """The token signing key cannot be used. The message names the file."""


def verifier(keys: Path) -> TokenVerifier:
    """Checks tokens minted with the key in the folder; makes the key when there is none."""
    return TokenVerifier.from_jwks(jwks(keys), ISSUER, AUDIENCE)


def jwks(keys: Path) -> str:
    """The public half of the key in the folder as a JWKS: what verifies the tokens elsewhere."""
    return json.dumps({"keys": [_public_jwk(_signing_key(keys))]})


def mint(keys: Path, client_id: str, scopes: tuple[str, ...], ttl_s: int) -> str:
    """A signed access token for a client. The private key never leaves the folder."""
    key = _signing_key(keys)
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": client_id,
        "iat": now,
        "exp": now + ttl_s,
        "jti": secrets.token_urlsafe(12),
        "scope": " ".join(scopes),
    }
    headers = {"kid": _public_jwk(key)["kid"], "typ": TOKEN_TYPE}
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers=headers)


def _signing_key(folder: Path) -> Ed25519PrivateKey:
    path = folder / "token-signing.pem"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_once(path, pem)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: not an Ed25519 private key; remove it to have a new one made")
    return key


def _write_once(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by its owner only; of two processes at once, the first one's key stays."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _public_jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    jwk: dict[str, str] = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    thumbprint = json.dumps({name: jwk[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    return {**jwk, "kid": hashlib.sha256(thumbprint.encode()).hexdigest()[:16], "use": "sig", "alg": ALGORITHM}
