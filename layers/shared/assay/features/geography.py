"""Distances between countries, and the speed that two transactions imply."""

from __future__ import annotations

import csv
from functools import cache, lru_cache
from importlib.resources import files
from math import asin, cos, radians, sin, sqrt

from assay.features.windows import HOUR, MINUTE

EARTH_RADIUS_KM = 6371.0088


@cache
def centroids() -> dict[str, tuple[float, float]]:
    """ISO 3166-1 alpha-2 code -> (latitude, longitude) of the country's centre, in radians."""
    text = files("assay.schemas").joinpath("countries.csv").read_text("utf-8")
    return {
        row["code"]: (radians(float(row["latitude"])), radians(float(row["longitude"])))
        for row in csv.DictReader(text.splitlines())
    }


@lru_cache(maxsize=1 << 16)
def distance_km(one: str, other: str) -> float | None:
    """Great-circle distance between the centres of two countries; None if one of them is not known."""
    known = centroids()
    if one not in known or other not in known:
        return None
    (lat1, lon1), (lat2, lon2) = known[one], known[other]
    haversine = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(haversine)))


def speed_kmh(one: str, other: str, elapsed: int) -> float | None:
    """Speed implied by being in one country and, `elapsed` microseconds later, in the other.

    At least a minute is assumed between the two, so that simultaneous transactions give a number.
    """
    if one == other:
        return 0.0
    distance = distance_km(one, other)
    return None if distance is None else distance * HOUR / max(elapsed, MINUTE)
