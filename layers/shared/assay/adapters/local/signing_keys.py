"""Signing keys in a file that only its owner can read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from assay.identity.signing import KeyRing

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
            _write(self._path, KeyRing.new(self._clock()), first=True)
        return KeyRing.from_json(self._path.read_bytes(), str(self._path))

    def rotate(self, *, withdraw: bool = False) -> KeyRing:
        """A fresh key signs from now on; see `KeyRing.rotated`."""
        ring = self.read().rotated(self._clock(), withdraw=withdraw)
        _write(self._path, ring, first=False)
        return ring


def _write(path: Path, ring: KeyRing, *, first: bool) -> None:
    """Whole or not at all; of two processes that make the first key at once, the one's key stays."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(ring.to_json())
        file.flush()
        os.fsync(file.fileno())
    if not first:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
