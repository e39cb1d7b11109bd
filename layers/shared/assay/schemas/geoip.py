"""What the GeoIP stage is asked and what it answers."""

from __future__ import annotations

from assay.schemas.base import Contract
from assay.schemas.fields import Country, IpAddress


class GeoIpRequest(Contract):
    """Where is this address?"""

    ip_address: IpAddress


class GeoIpResult(Contract):
    """Answer of the GeoIP stage. An address that is private, or in no database, is unknown: that is no error."""

    country: Country | None
    network: str | None
    """The database's network that the address is in, as prefix: `192.0.0.0/17`."""
    known: bool
