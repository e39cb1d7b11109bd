"""What training writes into a policy beside the score's thresholds: confidence bands around these, and anomaly
thresholds for the cases in which not all models answer, from what the models did on legitimate rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.policy import Band, ConfidenceBands
from training.costs import ScoreThresholds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CLEAR_ODDS = 3.0
"""A score whose odds are so many times beyond a threshold is clear: HIGH."""
THOUSANDTHS = 1000


@dataclass(frozen=True, slots=True)
class SubsetThresholds:
    """`if_score` below / `ae_error` above these is anomalous, when the model stands alone or XGBoost is missing."""

    forest_alone: float
    autoencoder_alone: float
    forest_without_xgboost: float
    autoencoder_without_xgboost: float


@dataclass(frozen=True, slots=True)
class TrainedThresholds:
    """What training writes into a policy: thresholds of the score, those for missing models, evidence of the flags."""

    score: ScoreThresholds
    subsets: SubsetThresholds
    forest_evidence: float
    autoencoder_evidence: float


def confidence_bands(score: ScoreThresholds) -> ConfidenceBands:
    """HIGH: the score would be approved or declined if its odds of fraud were CLEAR_ODDS times closer to a challenge.
    MEDIUM: it would be approved or declined as it is. LOW, the rest: the score itself calls for a challenge.

    In thousandths; the lower edges, inclusive, stay below `challenge_above`.
    """
    challenge = round(score.challenge_above * THOUSANDTHS)
    high_below = math.floor(_at_odds(score.challenge_above, 1 / CLEAR_ODDS) * THOUSANDTHS)
    high_above = math.ceil(_at_odds(score.decline_above, CLEAR_ODDS) * THOUSANDTHS)
    return ConfidenceBands(
        high=Band(above=high_above / THOUSANDTHS, below=high_below / THOUSANDTHS),
        medium=Band(above=score.decline_above, below=(challenge - 1) / THOUSANDTHS),
    )


def _at_odds(probability: float, times: float) -> float:
    """The probability whose odds are so many times this one's."""
    odds = times * probability / (1 - probability)
    return odds / (1 + odds)


def subset_thresholds(if_scores: Floats, ae_errors: Floats, both: Bools, stopped_by_models: Bools) -> SubsetThresholds:
    """Keeps the burden on legitimate customers the same when a model is missing. All columns: legitimate rows only.

    Alone, a model flags as many as both flag together. Without XGBoost, both together flag as many as all three
    models would have stopped (`stopped_by_models`).
    """
    alone = max(float(both.mean()), 1 / len(both))
    forest, autoencoder = _cut(if_scores, ae_errors, alone)
    rate = _rate_for_both(if_scores, ae_errors, max(float(stopped_by_models.mean()), alone))
    return SubsetThresholds(forest, autoencoder, *_cut(if_scores, ae_errors, rate))


def _cut(if_scores: Floats, ae_errors: Floats, rate: float) -> tuple[float, float]:
    return float(np.quantile(if_scores, rate)), float(np.quantile(ae_errors, 1 - rate))


def _rate_for_both(if_scores: Floats, ae_errors: Floats, wanted: float) -> float:
    """The rate at which each must flag for both to flag `wanted` of the rows, by bisection."""
    low, high = wanted, 0.5
    for _ in range(30):
        rate = (low + high) / 2
        forest, autoencoder = _cut(if_scores, ae_errors, rate)
        if float(((if_scores < forest) & (ae_errors > autoencoder)).mean()) < wanted:
            low = rate
        else:
            high = rate
    return high
