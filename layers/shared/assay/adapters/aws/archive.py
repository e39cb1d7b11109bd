"""An archive in S3."""

from __future__ import annotations

import secrets

import obstore
from obstore.exceptions import AlreadyExistsError

from assay.adapters.aws.objects import FAULTS, Store, cause, is_bucket_missing
from assay.archive_keys import checked, folder_of
from assay.errors import StorageError

_WRITER = "assay-writer"


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
        except FAULTS as error:
            raise StorageError(f"{key}: not kept: {cause(error)}") from error
        return True

    async def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        try:
            result = await obstore.get_async(self._store, checked(key))
            return bytes(await result.bytes_async())
        except FileNotFoundError as error:
            if is_bucket_missing(error):
                raise StorageError(f"{key}: the bucket does not exist") from error
            return None
        except FAULTS as error:
            raise StorageError(f"{key}: cannot be read: {cause(error)}") from error

    async def keys(self, prefix: str, after: str = "") -> list[str]:
        """Keys that begin with the prefix and come after the given one, sorted."""
        folder = folder_of(prefix)
        try:
            pages = obstore.list(self._store, folder or None, offset=after or None)
            keys = [entry["path"] async for page in pages for entry in page]
        except FAULTS as error:
            raise StorageError(f"{prefix}: cannot be listed: {cause(error)}") from error
        return sorted(key for key in keys if key.startswith(prefix) and key > after)

    async def _writer(self, key: str) -> str | None:
        """Who wrote the object that is there: it was ourselves when the answer to our first attempt was lost.

        An object that is not there after all was being written by somebody else: an error, so that we try again.
        """
        try:
            result = await obstore.get_async(self._store, key, options={"head": True})
        except FAULTS as error:
            raise StorageError(f"{key}: not known who wrote it: {cause(error)}") from error
        return result.attributes.get(_WRITER)
