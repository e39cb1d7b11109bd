"""The GeoIP stage. Apart from the other stages: its contracts need the field types, and they start faster without."""

from __future__ import annotations

from assay.schemas.geoip import GeoIpRequest, GeoIpResult
from assay.stages import Stage

GEOIP = Stage("geoip", GeoIpRequest, GeoIpResult)
