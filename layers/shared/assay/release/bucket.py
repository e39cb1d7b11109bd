"""A registry in a bucket. It is not trusted: its objects are put into a private folder and opened as any release is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import obstore
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from assay.adapters.aws.objects import Store, cause, open_store
from assay.errors import ReleaseError
from assay.release.manifest import FILES, MANIFEST, SIGNATURE
from assay.release.pointer import MAX_POINTER_BYTES
from assay.release.store import (
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    Release,
    is_version,
    open_release,
    signed_files,
)

Read = TypeVar("Read")
FETCH_S = 6.0
"""A pointer and a whole release must be here in this time, each in half of it.

A function that is not up after 10 s is killed, and starts again.
"""


class BucketRegistry:
    """`<prefix>/<version>/` and pointers. A pointer is replaced by a conditional put."""

    def __init__(self, location: str) -> None:
        """`s3://bucket/prefix`. Raises `SettingsError`."""
        self._location = location
        self._store: Store = open_store(location)

    def __str__(self) -> str:
        return self._location

    def read(self, name: str) -> tuple[bytes, str] | None:
        """A pointer's bytes, and the tag that they are replaced by. None: there is none. Raises `ReleaseError`."""
        with _told("cannot be fetched"):
            try:
                [found] = _together(partial(_pointer, self._store), [name])
            except FileNotFoundError:
                return None
            return found

    def write(self, name: str, body: bytes, tag: str | None) -> bool:
        """Replaces the pointer that was read with this tag, None: that was not there. False: it is another by now.

        A put whose answer was lost is sent again, and is refused then by what it wrote itself: that is told apart.
        """
        with _told("cannot be written"):
            try:
                self._store.put(name, body, mode="create" if tag is None else {"e_tag": tag})
            except FileNotFoundError:
                if tag is None:  # it is the bucket that is not there
                    raise
                return False
            except (AlreadyExistsError, PreconditionError):
                found = self.read(name)
                return found is not None and found[0] == body
            return True

    def versions(self) -> list[str]:
        """Names of the releases, sorted; unverified."""
        with _told("cannot be listed"):
            folders = obstore.list_with_delimiter(self._store)["common_prefixes"]
            return sorted(name for folder in folders if is_version(name := folder.rstrip("/").rpartition("/")[2]))

    def open(self, version: str, trusted: Sequence[Ed25519PublicKey]) -> Release:
        """The release, verified and read whole. Raises `ReleaseError`."""
        with _told("cannot be fetched"), tempfile.TemporaryDirectory(prefix="assay-release-") as folder:
            self._fetch(version, Path(folder))
            return open_release(Path(folder) / version, trusted)

    def add(self, folder: Path) -> None:
        """Puts the signed release there that is in the folder of its version, its signature last.

        Once more changes nothing; never over another. Raises `ReleaseError`.
        """
        content = signed_files(folder)
        with _told("cannot be written"):
            for name in (*FILES, MANIFEST, SIGNATURE):
                self._create(f"{folder.name}/{name}", content[name])

    def _create(self, path: str, body: bytes) -> None:
        try:
            self._store.put(path, body, mode="create", use_multipart=False)
        except AlreadyExistsError:
            if _object(self._store, path) != body:
                raise ReleaseError(f"{path}: exists with other content; a release is never overwritten") from None

    def manifest(self, version: str) -> bytes:
        """The bytes of its manifest.json, unverified. Raises `ReleaseError`."""
        path = f"{version}/{MANIFEST}"
        with _told("cannot be fetched"):
            return _body(path, self._store.get(path), MAX_MANIFEST_BYTES)

    def written(self, version: str) -> datetime | None:
        """When the release came here, if that is known."""
        try:
            return self._store.head(f"{version}/{SIGNATURE}")["last_modified"]
        except (OSError, BaseError):
            return None

    def _fetch(self, version: str, root: Path) -> None:
        """Copies a release to `root`."""
        paths = [f"{version}/{name}" for name in (*FILES, MANIFEST, SIGNATURE)]
        (root / version).mkdir()
        for path, body in zip(paths, _together(partial(_object, self._store), paths), strict=True):
            (root / path).write_bytes(body)


def _together(read: Callable[[str], Read], paths: Sequence[str]) -> Iterator[Read]:
    """What `read` gives for each, at once. In threads: asyncio alone would take 20 ms to import.

    Threads only read: one that is late must not write into a folder that is being removed.
    """
    pool = ThreadPoolExecutor(len(paths))
    try:
        yield from pool.map(read, paths, timeout=FETCH_S / 2)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # one that is late ends by the store's own limits


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The store's errors, as a registry tells them. One thing more than obstore's own: it raises built-in ones too."""
    try:
        yield
    except TimeoutError:
        raise ReleaseError(f"not fetched within {FETCH_S:.0f} s") from None
    except (OSError, BaseError) as error:
        raise ReleaseError(f"{what} ({cause(error)})") from error


def _pointer(store: Store, name: str) -> tuple[bytes, str]:
    response = store.get(name)
    return _body(name, response, MAX_POINTER_BYTES), response.meta["e_tag"] or ""


def _object(store: Store, path: str) -> bytes:
    return _body(path, store.get(path), MAX_FILE_BYTES)


def _body(path: str, response: Any, limit: int) -> bytes:  # noqa: ANN401 - obstore's class is of its stubs only
    if response.meta["size"] > limit:
        raise ReleaseError(f"{path}: larger than {limit} bytes")
    return bytes(response.bytes())
