"""Which keys an archive takes: the same ones in a bucket and in a folder."""

from __future__ import annotations

import re

from assay.errors import StorageError

MAX_KEY = 512
"""Bytes. S3 takes 1024 with the prefix that the store puts before them."""

_PART = r"[A-Za-z0-9_=:+-][A-Za-z0-9._=:+-]{0,254}"  # a leading dot would allow `..`, and an adapter's own files
_KEY = re.compile(rf"{_PART}(/{_PART})*", re.ASCII)


def checked(key: str) -> str:
    """The key: parts of 1-255 of `[A-Za-z0-9._=:+-]` that do not begin with a dot, joined by `/`.

    Raises `StorageError` for any other.
    """
    if len(key) > MAX_KEY or not _KEY.fullmatch(key):
        raise StorageError(f"not an archive key: {key[:MAX_KEY]!r}")
    return key


def folder_of(prefix: str) -> str:
    """The folder that holds every key with this prefix; empty for the archive itself.

    Raises `StorageError` for a prefix that no key in a folder can have.
    """
    return checked(prefix.rpartition("/")[0]) if "/" in prefix else ""
