"""The training libraries' models, called as cheaply as their own public parts allow.

What a practitioner does who has measured: no validation and no estimator wrapper around one row, the trees' own
compiled `apply` with the path lengths looked up, the network as five matrix products, the booster's in-place
prediction on one thread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

EULER = float(np.euler_gamma)


def average_path(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean path length of an unsuccessful search in a tree of so many samples (Liu et al. 2008)."""
    length = np.zeros(samples.shape)
    length[samples == 2] = 1.0
    many = samples > 2
    length[many] = 2.0 * (np.log(samples[many] - 1.0) + EULER) - 2.0 * (samples[many] - 1.0) / samples[many]
    return length


class TunedForest:
    """`IsolationForest.decision_function` of one row, without its wrapper."""

    def __init__(self, forest: IsolationForest) -> None:
        self.offset = float(forest.offset_)
        self.trees = [(tree.tree_.apply, self.lengths(tree.tree_)) for tree in forest.estimators_]
        samples = np.array([forest.max_samples_], dtype=np.int64)
        self.scale = len(self.trees) * float(average_path(samples)[0])

    @staticmethod
    def lengths(tree: object) -> list[float]:
        """Depth of every node plus what its samples would have added."""
        left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]
        depth = np.zeros(len(left))
        for node in range(len(left)):
            if left[node] >= 0:
                depth[left[node]] = depth[right[node]] = depth[node] + 1
        lengths: list[float] = (depth + average_path(tree.n_node_samples)).tolist()  # type: ignore[attr-defined]
        return lengths

    def score(self, row: NDArray[np.float32]) -> float:
        """`row` is (1, 13), float32."""
        total = 0.0
        for apply, lengths in self.trees:
            total += lengths[apply(row)[0]]
        return -float(2.0 ** (-total / self.scale)) - self.offset


class TunedAutoencoder:
    """Scaler and network as plain matrix products."""

    def __init__(self, scaler: StandardScaler, network: MLPRegressor) -> None:
        self.mean, self.scale = scaler.mean_, scaler.scale_
        self.layers = list(zip(network.coefs_, network.intercepts_, strict=True))

    def error(self, row: NDArray[np.float64]) -> float:
        """Mean squared reconstruction error of one row (13,)."""
        scaled = (row - self.mean) / self.scale
        signal = scaled
        for weights, bias in self.layers[:-1]:
            signal = np.maximum(signal @ weights + bias, 0.0)
        weights, bias = self.layers[-1]
        difference = scaled - (signal @ weights + bias)
        return float(difference @ difference) / len(difference)


class TunedClassifier:
    """The booster's in-place prediction, one thread."""

    def __init__(self, boosted: XGBClassifier) -> None:
        self.booster = boosted.get_booster()
        self.booster.set_param({"nthread": 1})

    def score(self, row: NDArray[np.float32]) -> float:
        """Fraud probability of one row (1, n), float32."""
        return float(self.booster.inplace_predict(row, validate_features=False)[0])
