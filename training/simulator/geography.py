"""The simulated world's countries and addresses. Addresses are from ranges that belong to nobody in particular."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """A home country: its currency, what one euro is worth in it, and how people pay there."""

    code: str
    currency: str
    per_euro: float
    utc_offset: int
    share: float
    """Share of the customers who live here."""
    mobile_money: bool = False
    """Phones and PINs instead of cards."""


COUNTRIES: tuple[Country, ...] = (
    Country("DE", "EUR", 1.0, 1, 0.16),
    Country("FR", "EUR", 1.0, 1, 0.13),
    Country("ES", "EUR", 1.0, 1, 0.09),
    Country("IT", "EUR", 1.0, 1, 0.08),
    Country("NL", "EUR", 1.0, 1, 0.07),
    Country("IE", "EUR", 1.0, 0, 0.04),
    Country("GB", "GBP", 0.873, 0, 0.12),
    Country("US", "USD", 1.175, -5, 0.11),
    Country("GH", "GHS", 12.7, 0, 0.06, mobile_money=True),
    Country("NG", "NGN", 1700.0, 1, 0.06, mobile_money=True),
    Country("KE", "KES", 151.5, 3, 0.04, mobile_money=True),
    Country("ZA", "ZAR", 19.5, 2, 0.04),
)

ELSEWHERE = ("TR", "TH", "AE", "PT", "AT", "PL", "MA", "BR", "IN", "RO")
"""Where people travel to beside the home countries, and where some attackers sit."""


def home_address(number: int) -> str:
    """A private address: a household's line (up to 16.7 million of them)."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def carrier_address(number: int) -> str:
    """From the range set aside for carriers' address translation (RFC 6598): many customers share it."""
    return f"100.{64 + (number >> 16 & 63)}.{number >> 8 & 255}.{number & 255}"


def public_address(number: int) -> str:
    """From the benchmarking range (RFC 2544): hotspots, hotels, proxies and attackers alike."""
    return f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 255}.{number & 255}"
