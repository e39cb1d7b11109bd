"""Where an address is: country and network, from a database in MaxMind's format."""

from __future__ import annotations

import socket
from bisect import bisect_right
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Protocol

from assay.errors import StageFailed
from assay.geoip import GEOIP
from assay.schemas.fields import country_codes
from assay.schemas.geoip import GeoIpRequest, GeoIpResult

NOWHERE = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4"),
    *("::/3", "2001::/23", "2001:db8::/32", "3fff::/20", "4000::/2", "8000::/1"),
)
"""In no country: private, loopback, link-local, multicast, documentation, whatever else IANA keeps from the public.

No range lies inside another."""
UNKNOWN = GeoIpResult(country=None, network=None, known=False)


class Reader(Protocol):
    """A database in MaxMind's format."""

    def get_with_prefix_len(self, ip_address: str) -> tuple[Any, int]:
        """The record of the network that the address is in (None: there is none), and its prefix length."""
        ...


class CountryLookup:
    """Looks addresses up. Pure over its reader; addresses that are in no country are never looked up."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._countries = country_codes()

    def locate(self, request: GeoIpRequest) -> GeoIpResult:
        """Country and network of the address; unknown is an answer. Raises `StageFailed` for a broken database."""
        packed = _packed(request.ip_address)
        if _is_nowhere(packed):
            return UNKNOWN
        try:
            record, length = self._reader.get_with_prefix_len(request.ip_address)
        except ValueError:  # IPv6, and the database knows IPv4 only
            return UNKNOWN
        except Exception as error:  # InvalidDatabaseError, or what else a broken file makes a reader raise
            raise StageFailed(GEOIP.name, f"{type(error).__name__} from the database") from error
        country = _country(record)
        if country not in self._countries:
            return UNKNOWN
        return GeoIpResult(country=country, network=_network(packed, length), known=True)


def _country(record: Any) -> str | None:  # noqa: ANN401 - whatever the database holds
    """`country.iso_code` (MaxMind, DB-IP), or `country_code` or `country` as text (smaller databases)."""
    if not isinstance(record, dict):
        return None
    country = record.get("country", record.get("country_code"))
    code = country.get("iso_code") if isinstance(country, dict) else country
    return code if isinstance(code, str) else None


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _network(packed: bytes, length: int) -> str:
    """The C library's spelling: ten times as fast as `ipaddress`."""
    bits = 8 * len(packed)
    masked = int.from_bytes(packed) >> (bits - length) << (bits - length)
    family = socket.AF_INET if bits == 32 else socket.AF_INET6
    return f"{socket.inet_ntop(family, masked.to_bytes(len(packed)))}/{length}"


def _span(network: IPv4Network | IPv6Network) -> tuple[bytes, bytes]:
    return network.network_address.packed, network.broadcast_address.packed


_SPANS = {
    size: sorted(span for span in map(_span, map(ip_network, NOWHERE)) if len(span[0]) == size) for size in (4, 16)
}
"""First and last address of each range of `NOWHERE`, by the length of an address in bytes."""
_FIRSTS = {size: [first for first, _ in spans] for size, spans in _SPANS.items()}


def _is_nowhere(packed: bytes) -> bool:
    size = len(packed)
    at = bisect_right(_FIRSTS[size], packed) - 1
    return at >= 0 and packed <= _SPANS[size][at][1]
