"""What chance explains. Pure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Z_95 = 1.959964


def poisson_tail(count: int, expected: float) -> float:
    """The probability of so many or more where so many are expected. 1 for none, 0 where none can be."""
    if count <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    if count > expected:
        return min(1.0, _sum_from(count, expected))
    below = sum(math.exp(_log_probability(k, expected)) for k in range(count))
    return min(1.0, max(0.0, 1 - below))


def discoveries(p: Floats, rate: float) -> NDArray[np.bool_]:
    """Which of the hypotheses to believe, so that this share of them is expected to be wrong (Benjamini, Hochberg)."""
    order = np.argsort(p, kind="stable")
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / max(1, len(p)))
    believed = np.zeros(len(p), dtype=np.bool_)
    if len(passed):
        believed[order[: passed[-1] + 1]] = True
    return believed


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The share's 95 % confidence interval; 0 to 1 of nothing."""
    if not count:
        return 0.0, 1.0
    share, square = hits / count, Z_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z_95 * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def growth(now: int, before: int) -> float:
    """Now over before, with half a one added to both."""
    return (now + 0.5) / (before + 0.5)


def components(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The component of each of `count` nodes, named by its least node; `pairs`: n x 2 linked nodes."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in pairs.tolist():
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return np.array([root(node) for node in range(count)], dtype=np.int64)


def _log_probability(k: int, expected: float) -> float:
    return k * math.log(expected) - expected - math.lgamma(k + 1)


def _sum_from(count: int, expected: float) -> float:
    """The terms fall: each is expected / k of the one before."""
    term = total = math.exp(_log_probability(count, expected))
    k = count
    while term > total * 1e-15:
        k += 1
        term *= expected / k
        total += term
    return total
