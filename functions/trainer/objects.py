"""What the trainer keeps beside the registry on AWS: a few objects by name, each replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from assay.adapters.aws.objects import FAULTS, Store, cause, is_bucket_missing, open_store
from assay.errors import StorageError


class Objects:
    """Under `s3://bucket/prefix`, or in an existing folder. Every method raises `StorageError`."""

    def __init__(self, location: str) -> None:
        """Raises `SettingsError`."""
        self._store: Store = open_store(location)

    def get(self, name: str, limit: int) -> bytes | None:
        """The object's bytes, so many at most; None when there is none."""
        with _told(name):
            try:
                found = self._store.get(name)
            except FileNotFoundError as error:
                if is_bucket_missing(error):
                    raise
                return None
            if found.meta["size"] > limit:
                raise StorageError(f"{name}: larger than {limit} bytes")
            return bytes(found.bytes())

    def put(self, name: str, body: bytes) -> None:
        """Puts the object in the place of another."""
        with _told(name):
            self._store.put(name, body, use_multipart=False)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """The store's errors, as everybody's."""
    try:
        yield
    except FAULTS as error:
        raise StorageError(f"{name}: {cause(error)}") from error
