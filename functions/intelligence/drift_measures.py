"""How far two samples are apart, by the counts in their bins. Pure; counts may be fractional."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
"""One number per bin, >= 0."""


@dataclass(frozen=True, slots=True)
class Distance:
    """A measure, and how probable one as large is when nothing has changed."""

    value: float
    p: float


def psi(baseline: Counts, window: Counts) -> Distance:
    """Population stability index, less what two samples of these sizes have by chance alone.

    Without drift, the plain index over (1/n + 1/m) has a chi-squared distribution with bins - 1 degrees of freedom, so
    its mean is (bins - 1)(1/n + 1/m): hundreds of events show an index of 0.1 where nothing has happened. Bins that are
    empty in both are left out; half an event in each keeps the logarithm finite. 0 and 1 where a sample is empty.
    """
    used = (baseline + window) > 0
    degrees = int(used.sum()) - 1
    if degrees < 1 or not baseline.sum() or not window.sum():
        return Distance(0.0, 1.0)
    p, q = _shares(baseline[used]), _shares(window[used])
    plain = float(((q - p) * np.log(q / p)).sum())
    unit = 1 / float(baseline.sum()) + 1 / float(window.sum())
    return Distance(max(0.0, plain - degrees * unit), _chi_squared_tail(plain / unit, degrees))


def ks(baseline: Counts, window: Counts) -> Distance:
    """Kolmogorov-Smirnov: the largest difference of the two cumulative shares, looked at between ordered bins.

    What differs within a bin is not seen: value and significance err on the quiet side. 0 and 1 where one is empty.
    """
    n, m = float(baseline.sum()), float(window.sum())
    if not n or not m:
        return Distance(0.0, 1.0)
    value = float(np.abs(np.cumsum(baseline) / n - np.cumsum(window) / m).max())
    root = math.sqrt(n * m / (n + m))
    return Distance(value, _kolmogorov_tail((root + 0.12 + 0.11 / root) * value))


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `count`."""

    hits: float
    count: float

    @property
    def value(self) -> float:
        """0 of nothing."""
        return self.hits / self.count if self.count else 0.0


def difference(baseline: Share, window: Share) -> Distance:
    """Of two shares, window less baseline, by the pooled z test (two-sided)."""
    if not baseline.count or not window.count:
        return Distance(0.0, 1.0)
    pooled = (baseline.hits + window.hits) / (baseline.count + window.count)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / baseline.count + 1 / window.count))
    value = window.value - baseline.value
    return Distance(value, 1.0 if not deviation else math.erfc(abs(value) / deviation / math.sqrt(2)))


def ratio(baseline: Share, window: Share) -> Distance:
    """Of two shares, window over baseline, with half an event in each; p as of `difference`."""
    if not baseline.count or not window.count:
        return Distance(1.0, 1.0)
    before = (baseline.hits + 0.5) / (baseline.count + 1)
    return Distance((window.hits + 0.5) / (window.count + 1) / before, difference(baseline, window).p)


def _shares(counts: Counts) -> Counts:
    shares: Counts = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return shares


def _chi_squared_tail(value: float, degrees: int) -> float:
    """By Wilson and Hilferty: the cube root is nearly normal."""
    part = 2 / (9 * degrees)
    z = (math.pow(max(value, 0.0) / degrees, 1 / 3) - (1 - part)) / math.sqrt(part)
    return math.erfc(z / math.sqrt(2)) / 2


def _kolmogorov_tail(value: float) -> float:
    if value < 0.2:  # the series converges slowly there, and says 1
        return 1.0
    terms = (math.exp(-2 * (k * value) ** 2) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))
