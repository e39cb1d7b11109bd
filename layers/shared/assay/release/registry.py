"""Opens the release that a deployed function serves: the registry's champion, or at last the copy in its image.

A registry is a folder, or the same layout in a bucket. The bucket is not trusted: its objects are put into a private
folder and opened as any release is, with the keys of the image.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from obstore.exceptions import BaseError

from assay.adapters.aws.objects import S3, Store, open_store
from assay.errors import ReleaseError
from assay.release.keys import load_trusted_keys
from assay.release.manifest import FILES, MANIFEST, SIGNATURE
from assay.release.store import CHAMPION, MAX_FILE_BYTES, Release, champion, open_release

log = logging.getLogger(__name__)

MODELS = Path(__file__).resolve().parents[4] / "models"
"""Keys and packaged release; an image is laid out as the repository is."""
FETCH_S = 6.0
"""A whole release must be here in this time: a function that is not up after 10 s is killed, and starts again."""


def served_release(location: str) -> Release:
    """The release that this function serves, from the registry at `location`. Raises ReleaseError, SettingsError."""
    return open_champion(location, load_trusted_keys(MODELS / "keys"), MODELS / "releases")


def open_champion(location: str, trusted: Sequence[Ed25519PublicKey], packaged: Path) -> Release:
    """The champion of the registry at `location`, `s3://bucket/prefix` or a folder, verified with the trusted keys.

    When it cannot be had or must not be served: the champion of the folder `packaged`, and an error in the log.
    ReleaseError with both reasons when that must not be served either; SettingsError when there is no such location.
    """
    try:
        return _fetched(open_store(location), trusted) if location.startswith(S3) else _opened(Path(location), trusted)
    except ReleaseError as error:
        reason = f"releases at {location}: {error}"
    try:
        release = _opened(packaged, trusted)
    except ReleaseError as error:
        raise ReleaseError(f"{reason}; packaged copy: {error}") from None
    log.error("%s; serving the packaged copy %s", reason, release)
    return release


def _opened(root: Path, trusted: Sequence[Ed25519PublicKey]) -> Release:
    return open_release(root / champion(root), trusted)


def _fetched(store: Store, trusted: Sequence[Ed25519PublicKey]) -> Release:
    try:
        with tempfile.TemporaryDirectory(prefix="assay-release-") as folder:
            _fetch(store, Path(folder))
            return _opened(Path(folder), trusted)
    except TimeoutError:
        raise ReleaseError(f"not fetched within {FETCH_S:.0f} s") from None
    except (OSError, BaseError) as error:
        raise ReleaseError(f"cannot be fetched ({_first_line(error)})") from error


def _fetch(store: Store, root: Path) -> None:
    """Copies the champion to `root`, laid out as a registry. In threads: asyncio alone would take 20 ms to import.

    Threads only read: one that is late must not write into a folder that is being removed.
    """
    names = (*FILES, MANIFEST, SIGNATURE)
    pool = ThreadPoolExecutor(len(names))
    try:
        (root / CHAMPION).write_bytes(pool.submit(_read, store, CHAMPION).result(FETCH_S / 2))
        version = champion(root)
        (root / version).mkdir()
        paths = [f"{version}/{name}" for name in names]
        for path, body in zip(paths, pool.map(partial(_read, store), paths, timeout=FETCH_S / 2), strict=True):
            (root / path).write_bytes(body)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # one that is late ends by the store's own limits


def _read(store: Store, path: str) -> bytes:
    response = store.get(path)
    if response.meta["size"] > MAX_FILE_BYTES:
        raise ReleaseError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
    return bytes(response.bytes())


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
