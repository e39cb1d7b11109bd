"""The segments in which a challenger must not be worse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.evaluate import SEGMENTS
from training.table import FeatureTable

Bools = NDArray[np.bool_]


def segments_of(table: FeatureTable, rows: Bools, amount_bands: Sequence[float]) -> dict[str, Bools]:
    """Name -> which of the chosen rows are in it: each channel and country, and bands of the amount.

    `amount_bands`: inner bounds in the base currency, increasing; a bound is in the band above it.
    """
    chosen = np.flatnonzero(rows)
    found: dict[str, Bools] = {}
    for column in SEGMENTS:
        values = np.array([table.categories[column][index] or "unknown" for index in chosen])
        found |= {f"{column}={value}": values == value for value in np.unique(values)}
    amounts = table.numeric["amount"][rows]
    for low, high in pairwise([-np.inf, *amount_bands, np.inf]):
        name = (
            f"amount<{high:g}"
            if low == -np.inf
            else f"amount>={low:g}"
            if high == np.inf
            else f"amount={low:g}-{high:g}"
        )
        found[name] = (amounts >= low) & (amounts < high)
    return found
