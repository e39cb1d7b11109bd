"""Gradient-boosted trees, equal to xgboost's margins, with the calibration that makes them probabilities."""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import NDArray

from assay.models.arrays import require, unpack
from assay.models.trees import PADDING, Walker, check_trees

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
SPEC: dict[str, tuple[type[np.generic], int]] = {
    "feature": (np.int16, 2),
    "threshold": (np.float32, 2),
    "default_left": (np.bool_, 2),
    "leaf": (np.float32, 2),
    "cover": (np.float32, 2),
    "base_margin": (np.float32, 1),
}
"""feature, threshold, default_left: (trees, 2**depth - 1); leaf: (trees, 2**depth); cover: (trees, 2**(depth+1) - 1),
the training weight that reached each node or leaf, which TreeSHAP needs; base_margin: one number."""
_LOWEST = np.float32(-np.inf)
_HIGHEST = np.float32(np.inf)


class _Scratch(threading.local):
    def __init__(self, trees: int, features: int) -> None:
        self.vector = np.empty(2 * features, np.float32)
        self.sums = np.empty(trees + 1, np.float32)


class BoostedTrees:
    """margin = base + the leaf values, added in float32 and in the order of the trees, as xgboost does.

    The walked vector holds the row twice: NaN is -inf in the first half and +inf in the second, and a node whose
    default is right reads the second, so that `value >= threshold` also routes what is missing.
    """

    def __init__(self, data: bytes, features: int) -> None:
        """Reads the arrays of `training.export.export_xgboost`. Raises ReleaseError."""
        self.arrays = unpack(data, SPEC)
        feature, leaf = self.arrays["feature"], self.arrays["leaf"]
        check_trees(feature, self.arrays["threshold"], leaf, features)
        require(self.arrays["default_left"].shape == feature.shape, "default directions do not match the nodes")
        require(self.arrays["base_margin"].shape == (1,), "one base margin expected")
        cover = self.arrays["cover"]
        require(cover.shape == (len(feature), 2 * feature.shape[1] + 1), "covers do not match the nodes")
        require((cover > 0).all(), "a node that no training row reached")
        self.features = features
        self.base_margin = self.arrays["base_margin"][0]
        self._leaf = leaf.ravel()
        self.inputs = np.where(feature == PADDING, 0, feature) + np.where(self.arrays["default_left"], 0, features)
        self._walker = Walker(self.inputs.astype(np.intp), self.arrays["threshold"], np.greater_equal)
        self._scratch = _Scratch(self._walker.trees, features)

    def predict_margin(self, row: Floats) -> float:
        """Margin (log-odds before calibration) of one row (features,); NaN is missing."""
        scratch = self._scratch
        position = self._walker.leaves(self.vector(row))
        sums = scratch.sums
        sums[0] = self.base_margin
        self._leaf.take(position, None, sums[1:], "clip")
        return float(np.add.accumulate(sums, 0, None, sums)[-1])

    def predict_margins(self, rows: Floats) -> Floats:
        """Margins (n,) of rows (n, features), each equal to `predict_margin` of its row."""
        single = rows.astype(np.float32)
        vectors = np.concatenate([np.fmax(single, _LOWEST), np.fmin(single, _HIGHEST)], axis=1)
        values = self._leaf.take(self._walker.leaves_of_rows(vectors))
        margins = np.full(len(rows), self.base_margin, np.float32)
        for tree in range(values.shape[1]):
            margins += values[:, tree]
        return margins.astype(np.float64)

    def vector(self, row: Floats) -> Singles:
        """The doubled float32 vector of a row; NaN has become -inf and +inf. The thread's own, until its next call."""
        vector = self._scratch.vector
        # fmax and fmin prefer the number over NaN
        np.fmax(row, _LOWEST, out=vector[: self.features], casting="same_kind")
        np.fmin(row, _HIGHEST, out=vector[self.features :], casting="same_kind")
        return vector


def probability(margin: float, slope: float, intercept: float) -> float:
    """sigmoid(slope * margin + intercept), without overflow at either end."""
    logit = slope * margin + intercept
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)
