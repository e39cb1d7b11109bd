"""Two releases over the same rows: what differs between them, and what chance alone could make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Switched:
    """Of `rows`, how many only the first release marks, and how many only the second does."""

    rows: int
    first_only: int
    second_only: int

    @property
    def lost(self) -> float:
        """Share of the rows that the second marks less; below 0: it marks more."""
        return (self.first_only - self.second_only) / self.rows if self.rows else 0.0

    @property
    def chance(self) -> float:
        """How probable it is that releases equally good differ so much in this direction (McNemar's test, exact)."""
        differing = self.first_only + self.second_only
        if not differing:
            return 1.0
        return float(binomtest(self.first_only, differing, alternative="greater").pvalue)


def switched(first: Bools, second: Bools) -> Switched:
    """Both mark the same rows, one entry each."""
    return Switched(len(first), int((first & ~second).sum()), int((second & ~first).sum()))


@dataclass(frozen=True, slots=True)
class CostDifference:
    """Cost of the second release less that of the first, per 1,000 rows, and where it lies with the confidence asked
    for, either way (each bound on its own)."""

    per_1000: float
    low: float
    high: float


def cost_difference(first: Floats, second: Floats, confidence: float, seed: int = 0) -> CostDifference:
    """`first`, `second`: what each row costs. Poisson bootstrap of the pairs; rows that cost the same never matter."""
    apart = second - first
    apart = apart[apart != 0.0]
    scale = 1000 / max(1, len(first))
    random = np.random.default_rng(seed)
    sums = np.array([float(random.poisson(1.0, len(apart)) @ apart) for _ in range(RESAMPLES)]) * scale
    low, high = np.quantile(sums, [1 - confidence, confidence])
    return CostDifference(float(apart.sum()) * scale, float(low), float(high))
