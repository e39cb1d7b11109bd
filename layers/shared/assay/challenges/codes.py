"""One-time codes: made, bound to what they confirm, and compared. A code itself is never kept."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from assay.schemas.fields import currency_minor_units

DIGITS = 6
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Offer:
    """What the customer typed, and what it is said to confirm (`binding`)."""

    code: str
    binding: str

    def __repr__(self) -> str:
        """Without the code: it must not get into a log."""
        return "Offer()"


def new_code() -> str:
    """Six digits from the system's random generator."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def new_salt() -> bytes:
    """One for each code."""
    return secrets.token_bytes(SALT_BYTES)


def binding(account_id: str, amount: Decimal, currency: str, counterparty_id: str | None) -> str:
    """What is confirmed, spelled in one way: 100 and 100.00 are the same amount."""
    return json.dumps([account_id, f"{amount.normalize():f}", currency, counterparty_id])


def told(bound_to: str) -> str:
    """What is confirmed, for the customer to read: `25.50 EUR to shop-1`."""
    _, amount, currency, counterparty_id = json.loads(bound_to)
    money = f"{Decimal(amount):.{currency_minor_units().get(currency, 2)}f} {currency}"
    return money if counterparty_id is None else f"{money} to {counterparty_id}"


def digest(key: bytes, salt: bytes, bound_to: str, code: str) -> bytes:
    """HMAC-SHA256 of the code with what it is bound to: a right code for something else is just another wrong one.

    The salt and the code are of fixed lengths, so no two inputs are spelled alike.
    """
    return hmac.digest(key, salt + code.encode() + bound_to.encode(), "sha256")


def position(offered: bytes, expected: Iterable[bytes]) -> int | None:
    """Which of the digests it is, the last that fits; all are compared, in a time that says nothing."""
    found = None
    for number, each in enumerate(expected):
        if hmac.compare_digest(offered, each):
            found = number
    return found
