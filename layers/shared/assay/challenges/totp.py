"""Codes of authenticator apps: HOTP (RFC 4226) over time steps (RFC 6238), SHA-1, 30 s, as every app does them."""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

from assay.challenges.codes import DIGITS
from assay.features.windows import SECOND

STEP_S = 30
SECRET_BYTES = 20
"""RFC 4226: 160 bits."""
AROUND = 1
"""Steps before and after the present one that are taken: clocks differ, and people type."""


def new_secret() -> bytes:
    """From the system's random generator."""
    return secrets.token_bytes(SECRET_BYTES)


def step_of(now: int) -> int:
    """The time step at a moment in microseconds."""
    return now // (STEP_S * SECOND)


def code_at(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The app's code in the step."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def steps_at(now: int) -> range:
    """The steps whose codes are taken at the moment, used ones too."""
    step = step_of(now)
    return range(step - AROUND, step + AROUND + 1)


def uri(secret: bytes, issuer: str, account: str) -> str:
    """What an authenticator app reads as a QR code."""
    parameters = {
        "secret": base64.b32encode(secret).decode().rstrip("="),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_S,
    }
    return f"otpauth://totp/{quote(issuer)}:{quote(account, safe='')}?{urlencode(parameters, quote_via=quote)}"
