"""The embedded installation's tokens: its keys in the data folder, and tokens made by command for development."""

from __future__ import annotations

import time
from pathlib import Path

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.identity.scopes import CLIENT_SCOPES as SCOPES
from assay.identity.signing import Issuer
from assay.identity.tokens import TokenVerifier

ISSUER = "assay"
AUDIENCE = "assay"

__all__ = ["AUDIENCE", "ISSUER", "SCOPES", "issuer", "jwks", "mint", "verifier"]


def issuer() -> Issuer:
    """Signs tokens of this installation."""
    return Issuer(ISSUER, AUDIENCE)


def verifier(keys: Path) -> TokenVerifier:
    """Checks tokens signed with the keys in the folder; makes a key when there is none."""
    return TokenVerifier(FolderSigningKeys(keys).jwks, ISSUER, AUDIENCE)


def jwks(keys: Path) -> str:
    """The public half of the keys in the folder as a JWKS: what verifies the tokens elsewhere."""
    return FolderSigningKeys(keys).read().jwks(time.time())


def mint(keys: Path, client_id: str, scopes: tuple[str, ...], ttl_s: int) -> str:
    """A signed access token for a client, known to the installation or not."""
    return issuer().mint(FolderSigningKeys(keys).read(), client_id, scopes, ttl_s)
