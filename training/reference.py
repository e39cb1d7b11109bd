"""Distributions a release was trained on, per feature and per score: what drift is measured against later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 10


def numeric(values: Floats) -> dict[str, Any]:
    """Quantile bins of the known values: inner `edges`, the `shares` of the len(edges)+1 bins (a value equal to an
    edge is in the bin below it), and the share that is `unknown`. Shares are of all values and add up to 1."""
    known = values[~np.isnan(values)]
    if not len(known):
        return {"kind": "number", "edges": [], "shares": [0.0], "unknown": 1.0}
    quantiles = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])
    edges = np.unique(quantiles)
    edges = edges[edges < known.max()]
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    shares = counts / len(values)
    return {
        "kind": "number",
        "edges": [float(edge) for edge in edges],
        "shares": [round(float(share), 8) for share in shares],
        "unknown": round(1 - len(known) / len(values), 8),
    }


def category(values: Sequence[str | None]) -> dict[str, Any]:
    """Share of each category, and the share that is `unknown`."""
    counts = Counter(values)
    unknown = counts.pop(None, 0)
    shares = {str(name): round(count / len(values), 8) for name, count in sorted(counts.items(), key=str)}
    return {"kind": "category", "shares": shares, "unknown": round(unknown / len(values), 8)}
