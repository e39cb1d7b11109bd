"""The published keys of tokens, from where the issuer puts them."""

from __future__ import annotations

from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from assay.adapters.aws.objects import S3, Store, open_store
from assay.errors import AssayError, SettingsError, StorageError
from assay.identity.tokens import JwksSource, TokenVerifier


async def open_verifier(location: str, issuer: str, audience: str) -> TokenVerifier:
    """A verifier that has its keys. `location`: `s3://bucket/key` or a file. Raises `SettingsError` without keys."""
    verifier = TokenVerifier(jwks_source(location), issuer, audience)
    try:
        await verifier.load()
    except (AssayError, OSError) as error:
        raise SettingsError(f"ASSAY_JWKS: {location} cannot be used: {error}") from error
    return verifier


def jwks_source(location: str) -> JwksSource:
    """Reads the keys, as often as it is asked."""
    if not location.startswith(S3):
        path = Path(location)

        async def from_file() -> bytes:
            return path.read_bytes()

        return from_file
    store, name = _place(location)

    async def from_bucket() -> bytes:
        try:
            result = await store.get_async(name)
            return bytes(await result.bytes_async())
        except BaseError as error:
            raise StorageError(str(error).partition("\n")[0]) from error

    return from_bucket


async def publish_jwks(location: str, document: str) -> None:
    """Puts the keys where verifiers read them, `s3://bucket/key`. Raises `SettingsError` and `StorageError`."""
    store, name = _place(location)
    if not isinstance(store, S3Store):
        raise SettingsError(f"{location}: not {S3}bucket/key")
    try:
        await obstore.put_async(store, name, document.encode())
    except (BaseError, OSError, ValueError) as error:
        raise StorageError(f"{location}: {str(error).partition(chr(10))[0]}") from error


def _place(location: str) -> tuple[Store, str]:
    folder, _, name = location.rpartition("/")
    return open_store(folder), name
