"""An archive in S3."""

from __future__ import annotations

import secrets

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from assay.adapters.aws.objects import Store
from assay.archive_keys import checked, folder_of
from assay.errors import StorageError

_WRITER = "assay-writer"
_FAULTS = (BaseError, OSError, ValueError)  # obstore raises the built-in ones too


class S3Archive:
    """One object per key. Conditional puts (`If-None-Match: *`) keep the first."""

    def __init__(self, store: Store) -> None:
        """`store` as of `objects.open_store`, under an `s3://` location."""
        self._store = store

    async def put(self, key: str, body: bytes) -> bool:
        """Keeps the object. False when there is one with this key: that one stays."""
        checked(key)
        writer = secrets.token_hex(16)
        try:
            await obstore.put_async(self._store, key, body, mode="create", attributes={_WRITER: writer})
        except AlreadyExistsError:
            return await self._writer(key) == writer
        except _FAULTS as error:
            raise StorageError(f"{key}: not kept: {_cause(error)}") from error
        return True

    async def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        try:
            result = await obstore.get_async(self._store, checked(key))
            return bytes(await result.bytes_async())
        except FileNotFoundError as error:
            if "<Code>NoSuchBucket</Code>" in str(error):  # nothing else tells the two kinds of 404 apart
                raise StorageError(f"{key}: the bucket does not exist") from error
            return None
        except _FAULTS as error:
            raise StorageError(f"{key}: cannot be read: {_cause(error)}") from error

    async def keys(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with the prefix and come after the given one, sorted."""
        folder = folder_of(prefix)
        try:
            pages = obstore.list(self._store, folder or None, offset=after or None)
            keys = [entry["path"] async for page in pages for entry in page]
        except _FAULTS as error:
            raise StorageError(f"{prefix}: cannot be listed: {_cause(error)}") from error
        return sorted(key for key in keys if key.startswith(prefix) and key > after)

    async def _writer(self, key: str) -> str | None:
        """Who wrote the object that is there: it was ourselves when the answer to our first attempt was lost.

        An object that is not there after all was being written by somebody else: an error, so that we try again.
        """
        try:
            result = await obstore.get_async(self._store, key, options={"head": True})
        except _FAULTS as error:
            raise StorageError(f"{key}: not known who wrote it: {_cause(error)}") from error
        return result.attributes.get(_WRITER)


def _cause(error: Exception) -> str:
    """The first line: obstore adds a dump of its own structures."""
    return str(error).partition("\n")[0]
