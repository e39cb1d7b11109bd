"""Platt scaling of the margin, and how well the calibrated score keeps its word."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DECIDED_ABOVE = -4.0
"""Calibrated where decisions are made: nine rows in ten lie below this margin (log-odds; a chance of fraud of 2 %) and
would bend the line to suit themselves."""
FEWEST = 50
"""With fewer reported frauds above it, all rows are taken."""
LEAST_REPORTED = 0.85
"""Below this share the plateau is not taken for unreported fraud any more."""


@dataclass(frozen=True, slots=True)
class PlattScaling:
    """fraud_score = sigmoid(slope * margin + intercept); the margin is in log-odds."""

    slope: float
    intercept: float

    def apply(self, margins: Floats) -> Floats:
        """Calibrated probabilities of margins of any shape."""
        return _sigmoid(self.slope * margins + self.intercept)


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration, and the share of the frauds that were reported by the time the labels were taken."""

    platt: PlattScaling
    reported_share: float


def fit_calibration(margins: Floats, reported: Bools, steps: int = 60) -> Fit:
    """Calibrates to the chance of fraud from the frauds that were *reported*, some never being so.

    P(reported | margin) = share * sigmoid(slope * margin + intercept), by expectation maximisation: where the margin is
    certain, the share shows as a plateau below 1. Without it every score would be too low by the unreported frauds,
    most of all the high ones. It is held above LEAST_REPORTED, for a plateau can have other reasons too.
    """
    decided = margins > DECIDED_ABOVE
    if reported[decided].sum() >= FEWEST:
        margins, reported = margins[decided], reported[decided]
    share, platt = 1.0 - 1e-3, fit_platt(margins, reported.astype(np.float64))
    for _ in range(steps):
        fraud = platt.apply(margins)
        hidden = (1 - share) * fraud / (1 - share * fraud)
        target = np.where(reported, 1.0, hidden)
        platt = fit_platt(margins, target)
        before, share = share, min(1.0, max(LEAST_REPORTED, float(reported.sum() / target.sum())))
        if abs(share - before) < 1e-5:
            break
    return Fit(platt, share)


def fit_platt(margins: Floats, labels: Floats, steps: int = 100) -> PlattScaling:
    """Maximum likelihood by a damped Newton method; `labels`, 0..1, are softened as Platt did, against over-confidence.

    Raises ValueError when either class is missing.
    """
    positives = float(labels.sum())
    negatives = len(labels) - positives
    if positives < 1 or negatives < 1:
        raise ValueError("calibration needs fraud and legitimate rows")
    low, high = 1 / (negatives + 2), (positives + 1) / (positives + 2)
    target = low + (high - low) * labels
    design = np.column_stack([margins, np.ones_like(margins)])
    weights = np.array([0.0, math.log((positives + 1) / (negatives + 1))])
    for _ in range(steps):
        probability = _sigmoid(design @ weights)
        gradient = design.T @ (probability - target)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + 1e-9 * np.eye(2)
        full: Floats = np.linalg.solve(curvature, gradient).astype(np.float64)
        step = _shortened(design, target, weights, full)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-10:
            break
    return PlattScaling(float(weights[0]), float(weights[1]))


def _shortened(design: Floats, target: Floats, weights: Floats, step: Floats) -> Floats:
    """The step, halved until it makes the likelihood no worse: a full one can run away from far-off margins."""
    before = _loss(design, target, weights)
    for _ in range(40):
        if _loss(design, target, weights - step) <= before:
            return step
        step = step / 2
    return np.zeros_like(step)


def _loss(design: Floats, target: Floats, weights: Floats) -> float:
    """Negative log-likelihood: log(1 + exp(z)) - target * z."""
    logits = design @ weights
    return float(np.sum(np.logaddexp(0.0, logits) - target * logits))


def _sigmoid(logits: Floats) -> Floats:
    """Through tanh, which does not overflow."""
    result: Floats = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return result


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Of `count` rows scored from `lower` to `upper`, mean score and share of fraud."""

    lower: float
    upper: float
    count: int
    mean_score: float
    fraud_share: float


def reliability(scores: Floats, labels: Bools, edges: tuple[float, ...]) -> list[ReliabilityBin]:
    """One bin per pair of neighbouring edges, empty ones left out; the last includes its upper edge."""
    places = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)
    bins = []
    for index in range(len(edges) - 1):
        inside = places == index
        if inside.any():
            mean, share = float(scores[inside].mean()), float(labels[inside].mean())
            bins.append(ReliabilityBin(edges[index], edges[index + 1], int(inside.sum()), mean, share))
    return bins


TENTHS = tuple(round(0.1 * index, 1) for index in range(11))


def expected_calibration_error(scores: Floats, labels: Bools, edges: tuple[float, ...] = TENTHS) -> float:
    """Mean distance between score and fraud share over the bins, weighted by rows. 0..1; NaN without rows."""
    bins = reliability(scores, labels, edges)
    total = sum(part.count for part in bins)
    if not total:
        return float("nan")
    return sum(part.count * abs(part.mean_score - part.fraud_share) for part in bins) / total


def calibration_error_by_chance(scores: Floats, edges: tuple[float, ...] = TENTHS) -> float:
    """The error that scores which keep their word are expected to show all the same: so few rows vary so much.

    Per bin the mean distance of a normal variable with the variance of its frauds. 0..1; NaN without rows.
    """
    if not len(scores):
        return float("nan")
    places = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)
    variance = np.bincount(places, scores * (1 - scores))
    return float(np.sqrt(2 / np.pi * variance).sum() / len(scores))
