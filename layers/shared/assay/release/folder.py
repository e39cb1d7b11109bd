"""A registry that is a folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from assay.errors import ReleaseError
from assay.release.files import read_regular, replace
from assay.release.manifest import MANIFEST, SIGNATURE
from assay.release.pointer import MAX_POINTER_BYTES
from assay.release.store import (
    MAX_MANIFEST_BYTES,
    Release,
    open_release,
    signed_files,
    versions,
    write_signed,
)

LOCK = ".lock"


class FolderRegistry:
    """`<root>/<version>/` and pointers. A pointer is replaced at once, by one process after the other."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A pointer's bytes; what they are replaced by needs no tag. None: there is none. Raises `ReleaseError`."""
        path = self._root / name
        if not os.path.lexists(path):
            return None
        body = read_regular(str(path), MAX_POINTER_BYTES)
        return body, body.hex()

    def write(self, name: str, body: bytes, tag: str | None) -> bool:
        """Replaces the pointer that was read with this tag, None: that was not there. False: it is another by now."""
        try:
            with self._locked():
                found = self.read(name)
                if (found and found[1]) != tag:
                    return False
                replace(self._root / name, body)
                return True
        except OSError as error:
            raise ReleaseError(f"{name}: cannot be written ({error.strerror})") from error

    def versions(self) -> list[str]:
        """Names of the releases, sorted; unverified."""
        return versions(self._root)

    def open(self, version: str, trusted: Sequence[Ed25519PublicKey]) -> Release:
        """The release, verified and read whole. Raises `ReleaseError`."""
        return open_release(self._root / version, trusted)

    def add(self, folder: Path) -> None:
        """Puts the signed release there that is in the folder of its version, whole or not at all.

        Once more changes nothing; never over another. Raises `ReleaseError`.
        """
        try:
            write_signed(self._root, folder.name, signed_files(folder))
        except OSError as error:
            raise ReleaseError(f"{folder.name}: cannot be written ({error.strerror})") from error

    def manifest(self, version: str) -> bytes:
        """The bytes of its manifest.json, unverified. Raises `ReleaseError`."""
        return read_regular(str(self._root / version / MANIFEST), MAX_MANIFEST_BYTES)

    def written(self, version: str) -> datetime | None:
        """When the release came here, if that is known."""
        try:
            return datetime.fromtimestamp((self._root / version / SIGNATURE).stat().st_mtime, UTC)
        except OSError:
            return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The lock ends with the process that holds it, however that ends."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._root / LOCK, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
