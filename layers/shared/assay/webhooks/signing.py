"""Signatures of Standard Webhooks: HMAC-SHA256 over id, timestamp and body, with every secret that is in use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
"""Headers of a message."""
SHORTEST, LONGEST = 24, 64
"""Bytes of a secret."""
TOLERANCE_S = 300
"""How far a message's timestamp may be from now: older ones may be replays."""
MAX_SIGNATURES = 8
"""As many as are looked at: a sender in the middle of a rotation has two."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 - what the scheme's secrets begin with
_VERSION = "v1,"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret shared with one receiver. It is never shown."""

    _key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Secret:
        """The secret in `whsec_<base64>`. Raises `ValueError`, which repeats nothing of it."""
        try:
            key = base64.b64decode(text.removeprefix(_SECRET_PREFIX).encode(), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise ValueError("a webhook secret should be base64 after whsec_") from None
        if not text.startswith(_SECRET_PREFIX):
            raise ValueError("a webhook secret should begin with whsec_")
        if not SHORTEST <= len(key) <= LONGEST:
            raise ValueError(f"a webhook secret should be of {SHORTEST} to {LONGEST} bytes")
        return cls(key)

    def sign(self, message_id: str, timestamp: str, body: bytes) -> str:
        """One signature, `v1,<base64>`."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        return _VERSION + base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()


def new_secret() -> str:
    """`whsec_<base64>` of 32 random bytes."""
    return _SECRET_PREFIX + base64.b64encode(os.urandom(32)).decode()


def signed_headers(message_id: str, timestamp: int, body: bytes, secrets: Sequence[Secret]) -> dict[str, str]:
    """The headers of a message. `timestamp`: seconds since the epoch, of this attempt; the id is the same in all.

    Signed with every secret: during a rotation the receiver may know the old one or the new one.
    """
    if not secrets or "." in message_id:
        raise ValueError("a message needs a secret and an id without a dot")
    signatures = [secret.sign(message_id, str(timestamp), body) for secret in secrets]
    return {ID: message_id, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(signatures)}


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: float) -> bool:
    """Whether one of the secrets signed this message, and lately. `headers`: names in lower case; `now`: seconds.

    In constant time for given lengths.
    """
    message_id, timestamp, signatures = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (message_id and timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(now - int(timestamp)) > TOLERANCE_S:
        return False
    given = [signature.encode() for signature in signatures.split(" ")[:MAX_SIGNATURES]]
    expected = [secret.sign(message_id, timestamp, body).encode() for secret in secrets]
    matches = [hmac.compare_digest(one, other) for one in given for other in expected]
    return any(matches)
