"""Signing keys in a secret of Secrets Manager, and how they are rotated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from assay.adapters.aws.clients import code_of, storage_errors
from assay.adapters.aws.jwks import publish_jwks
from assay.errors import StorageError
from assay.identity.signing import KeyRing, SigningKeysError

SCHEME = "secretsmanager:"
FRESH_S = 5.0
"""How old the keys may be that sign: every token needs them, and a call for each would cost time and money."""
CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """What the secret holds."""

    version: str
    ring: KeyRing


class SecretSigningKeys:
    """The keys, as the function that signs reads them."""

    def __init__(self, client: Any, secret_id: str, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401
        """`client`: of "secretsmanager". `secret_id`: the secret's name or ARN."""
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._ring: KeyRing | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def ring(self) -> KeyRing:
        """The keys as they were `FRESH_S` ago at most. Raises `SigningKeysError` and `StorageError`."""
        async with self._reading:
            if self._ring is None or self._clock() - self._read_at >= FRESH_S:
                asked_at = self._clock()
                kept = await _read(self._client, self._secret_id)
                if kept is None:
                    raise SigningKeysError(f"{self._secret_id}: no such secret, or no key in it: `assay keys rotate`")
                self._ring, self._read_at = kept.ring, asked_at
            return self._ring


async def rotate(client: Any, secret_id: str, jwks: str, now: float, *, withdraw: bool = False) -> KeyRing:  # noqa: ANN401
    """A fresh key signs from now on, the first one in a secret without a value; see `KeyRing.rotated`.

    `jwks`: where verifiers read the public halves; it is written first, so that they know a key before it signs.
    Of two rotations at once the second finds that the first has won, and begins again from what that left: no key that
    signed gets lost. Until then, some milliseconds, the published keys are the second's; should it be killed just then,
    rotate once more. A running function signs with what it has for `FRESH_S` more: with a withdrawn key, void tokens.

    Raises `SigningKeysError`, `SettingsError` and `StorageError`.
    """
    for _ in range(ATTEMPTS):
        kept = await _read(client, secret_id)
        ring = kept.ring.rotated(now, withdraw=withdraw) if kept else await _first(client, secret_id, now)
        await publish_jwks(jwks, ring.jwks(now))
        if await _replace(client, secret_id, kept, ring):
            return ring
    raise StorageError(f"{secret_id}: it was changed by others again and again; nothing was rotated")


async def _read(client: Any, secret_id: str) -> Kept | None:  # noqa: ANN401
    """None: the secret has no value, or there is no secret; nothing tells one from the other."""
    with storage_errors("signing keys"):
        try:
            answer = await client.get_secret_value(SecretId=secret_id, VersionStage=CURRENT)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return None
    return Kept(answer["VersionId"], KeyRing.from_json(answer.get("SecretString", ""), secret_id))


async def _first(client: Any, secret_id: str, now: float) -> KeyRing:  # noqa: ANN401
    """For a secret that is there: a misspelt one must not take away what is published. Raises `StorageError`."""
    with storage_errors("signing keys"):
        await client.describe_secret(SecretId=secret_id)
    return KeyRing.new(now)


async def _replace(client: Any, secret_id: str, kept: Kept | None, ring: KeyRing) -> bool:  # noqa: ANN401
    """Makes the ring the current version in the place of the one kept. False when that is not current any more.

    A version gets its label when it is there already, because only the move of a label can be made to depend on where
    it was.
    """
    with storage_errors("signing keys"):
        put = await client.put_secret_value(SecretId=secret_id, SecretString=ring.to_json(), VersionStages=[PENDING])
        if kept is None:
            return CURRENT in put["VersionStages"]  # a secret's first version is its current one
        try:
            await client.update_secret_version_stage(
                SecretId=secret_id,
                VersionStage=CURRENT,
                MoveToVersionId=put["VersionId"],
                RemoveFromVersionId=kept.version,
            )
        except ClientError as error:
            if code_of(error) != "InvalidParameterException":
                raise
            return False
    return True
