"""Signing keys in a file that only its owner can read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from assay.identity.signing import KeyRing
from assay.release.files import make_once, replace

FILE = "token-signing.json"


class FolderSigningKeys:
    """The keys of an embedded installation, made when there are none. They never leave the folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / FILE
        self._clock = clock

    async def ring(self) -> KeyRing:
        """The keys as they are now."""
        return self.read()

    async def jwks(self) -> str:
        """The published half."""
        return self.read().jwks(self._clock())

    def read(self) -> KeyRing:
        """The keys as they are now. Raises `SigningKeysError` or `OSError`."""
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_once(self._path, KeyRing.new(self._clock()).to_json().encode(), 0o600)
        return KeyRing.from_json(self._path.read_bytes(), str(self._path))

    def rotate(self, *, withdraw: bool = False) -> KeyRing:
        """A fresh key signs from now on; see `KeyRing.rotated`."""
        ring = self.read().rotated(self._clock(), withdraw=withdraw)
        replace(self._path, ring.to_json().encode(), 0o600)
        return ring
