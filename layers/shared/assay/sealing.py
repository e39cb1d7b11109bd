"""The installation's own key: what codes are hashed with, and what contacts and secrets are encrypted with."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from assay.errors import AssayError

KEY_BYTES = 32
NONCE_BYTES = 12


class SealError(AssayError):
    """What was sealed cannot be opened: it is of another key, or was changed or moved."""


class InstallationKey:
    """256 random bits, from which a key is derived for each purpose."""

    def __init__(self, key: bytes) -> None:
        """Raises `SealError` for one of another length."""
        if len(key) != KEY_BYTES:
            raise SealError(f"the installation key has {len(key)} bytes, not {KEY_BYTES}")
        self.codes = _derived(key, b"assay.codes.v1")
        """For `codes.digest`."""
        self._cipher = AESGCM(_derived(key, b"assay.sealing.v1"))

    def __repr__(self) -> str:
        """Says nothing."""
        return "InstallationKey()"

    def seal(self, data: bytes, *place: str) -> bytes:
        """Encrypts; only who names the same place can open it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, _joined(place))

    def open(self, sealed: bytes, *place: str) -> bytes:
        """What was sealed for the place. Raises `SealError`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _joined(place))
        except (InvalidTag, ValueError):
            raise SealError("sealed with another key or for another place, or changed") from None


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_BYTES, purpose).derive(key)


def _joined(place: tuple[str, ...]) -> bytes:
    return "\0".join(place).encode()
