"""Isolation forest, equal to scikit-learn's `decision_function` (below 0 is more isolated than the training cut)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from assay.models.arrays import require, unpack
from assay.models.trees import PADDING, Walker, check_trees

Floats = NDArray[np.float64]
SPEC: dict[str, tuple[type[np.generic], int]] = {
    "feature": (np.int16, 2),
    "threshold": (np.float32, 2),
    "path_length": (np.float64, 2),
    "parameters": (np.float64, 1),
}
"""feature, threshold: (trees, nodes); path_length: (trees, leaves); parameters: [normaliser, offset]."""


class IsolationForest:
    """score = -2 ** (-(sum of path lengths) / normaliser) - offset, as scikit-learn computes it."""

    def __init__(self, data: bytes, features: int) -> None:
        """Reads the arrays of `training.export.export_isolation_forest`. Raises ReleaseError."""
        arrays = unpack(data, SPEC)
        feature, threshold, lengths = arrays["feature"], arrays["threshold"], arrays["path_length"]
        check_trees(feature, threshold, lengths, features)
        require(arrays["parameters"].shape == (2,) and arrays["parameters"][0] > 0, "parameters must be two numbers")
        require((lengths >= 0).all(), "a negative path length")
        self.features = features
        self._normaliser, self._offset = (float(value) for value in arrays["parameters"])
        self._lengths = lengths.ravel()
        # scikit-learn goes left when float32(value) <= threshold; export floors the threshold to float32
        self._walker = Walker(np.where(feature == PADDING, 0, feature).astype(np.intp), threshold, np.greater)

    def score(self, row: Floats) -> float:
        """Anomaly score of one row (features,), no NaN. Lower is more anomalous."""
        total = self._lengths.take(self._walker.leaves(row.astype(np.float32))).sum()
        return -math.pow(2.0, -float(total) / self._normaliser) - self._offset

    def scores(self, rows: Floats) -> Floats:
        """Anomaly scores (n,) of rows (n, features)."""
        totals = self._lengths.take(self._walker.leaves_of_rows(rows.astype(np.float32))).sum(axis=1)
        result: Floats = -np.power(2.0, -totals / self._normaliser) - self._offset
        return result
