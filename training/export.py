"""Fitted estimators -> the flat arrays that are served. Equal estimators give equal bytes.

What cannot be served exactly is refused with a ValueError; `training.parity` proves the rest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.tree._tree import Tree

from assay.models.arrays import pack
from assay.models.trees import MAX_DEPTH, PADDING

MAX_BOOSTED_DEPTH = 7
"""TreeSHAP's tables double with every level (see `assay.models.treeshap`)."""


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree as its library keeps it: children by node, -1 for none; value is only read at leaves."""

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[Any]
    default_left: NDArray[Any]
    cover: NDArray[Any]
    value: NDArray[Any]

    def depth(self, node: int = 0) -> int:
        """Splits on the longest way from the node down."""
        if self.left[node] < 0:
            return 0
        return 1 + max(self.depth(int(self.left[node])), self.depth(int(self.right[node])))


def export_isolation_forest(forest: IsolationForest) -> bytes:
    """Arrays of `assay.models.forest` from a fitted scikit-learn IsolationForest (max_samples up to 1024)."""
    depths = zip(forest._decision_path_lengths, forest._average_path_length_per_tree, strict=True)
    trees = [
        _forest_tree(estimator.tree_, columns, length + rest - 1.0)
        for estimator, columns, (length, rest) in zip(
            forest.estimators_, forest.estimators_features_, depths, strict=True
        )
    ]
    arrays = _padded(trees, MAX_DEPTH)
    normaliser = len(trees) * _average_path_length(int(forest._max_samples))
    return pack(
        {
            "feature": arrays["feature"],
            "threshold": _floored(arrays["threshold"]),
            "path_length": arrays["value"],
            "parameters": np.array([normaliser, float(forest.offset_)]),
        }
    )


def export_autoencoder(scaler: StandardScaler, network: MLPRegressor) -> bytes:
    """Arrays of `assay.models.autoencoder` from a fitted scaler and a ReLU network trained to reproduce scaled rows."""
    if network.activation != "relu" or network.out_activation_ != "identity":
        raise ValueError("only ReLU networks with a linear output are served")
    if scaler.mean_ is None or scaler.scale_ is None:
        raise ValueError("the scaler must have a mean and a scale")
    arrays = {"mean": np.asarray(scaler.mean_, np.float64), "scale": np.asarray(scaler.scale_, np.float64)}
    for index, (weight, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        arrays[f"weight_{index}"] = np.asarray(weight, np.float64)
        arrays[f"bias_{index}"] = np.asarray(bias, np.float64)
    return pack(arrays)


def export_xgboost(booster: xgboost.Booster) -> bytes:
    """Arrays of `assay.models.boosted_trees` from a binary:logistic booster of depth up to MAX_BOOSTED_DEPTH.

    All trees of the booster are taken: slice it first when it was stopped early (`booster[: best_iteration + 1]`).
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    model = learner["gradient_booster"].get("model")
    if (
        learner["objective"]["name"] != "binary:logistic"
        or learner["gradient_booster"]["name"] != "gbtree"
        or not model
    ):
        raise ValueError("only binary:logistic boosters of trees are served")
    arrays = _padded([_boosted_tree(tree) for tree in model["trees"]], MAX_BOOSTED_DEPTH)
    return pack(
        {
            "feature": arrays["feature"],
            "threshold": arrays["threshold"].astype(np.float32),
            "default_left": arrays["default_left"].astype(np.bool_),
            "leaf": arrays["value"].astype(np.float32),
            "cover": arrays["cover"].astype(np.float32),
            "base_margin": np.array([_base_margin(learner["learner_model_param"]["base_score"])], np.float32),
        }
    )


def _forest_tree(tree: Tree, columns: NDArray[Any], lengths: NDArray[Any]) -> _Tree:
    feature = np.where(tree.feature >= 0, columns[np.maximum(tree.feature, 0)], 0)
    ones = np.ones(tree.node_count)
    return _Tree(tree.children_left, tree.children_right, feature, tree.threshold, ones, ones, lengths)


def _boosted_tree(tree: dict[str, Any]) -> _Tree:
    if any(tree["split_type"]) or int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
        raise ValueError("categorical splits and vector leaves are not served")
    conditions = np.array(tree["split_conditions"], np.float32)
    return _Tree(
        np.array(tree["left_children"]),
        np.array(tree["right_children"]),
        np.array(tree["split_indices"]),
        conditions,
        np.array(tree["default_left"]),
        np.array(tree["sum_hessian"], np.float32),
        conditions,
    )


def _padded(trees: list[_Tree], limit: int) -> dict[str, NDArray[Any]]:
    depth = max(2, *(tree.depth() for tree in trees))
    if depth > limit:
        raise ValueError(f"trees of depth {depth}; at most {limit} is served")
    splits, leaves = (1 << depth) - 1, 1 << depth
    arrays: dict[str, NDArray[Any]] = {
        "feature": np.full((len(trees), splits), PADDING, np.int16),
        "threshold": np.zeros((len(trees), splits)),
        "default_left": np.ones((len(trees), splits)),
        "cover": np.zeros((len(trees), splits + leaves)),
        "value": np.zeros((len(trees), leaves)),
    }
    for index, tree in enumerate(trees):
        _place(tree, 0, 0, {name: array[index] for name, array in arrays.items()})
    return arrays


def _place(tree: _Tree, node: int, position: int, into: dict[str, NDArray[Any]]) -> None:
    """Writes the subtree of `node` at `position` of a heap; a leaf is repeated in every place below it."""
    splits = len(into["feature"])
    into["cover"][position] = tree.cover[node]
    children = (int(tree.left[node]), int(tree.right[node]))
    if position >= splits:
        into["value"][position - splits] = tree.value[node]
        return
    if children[0] < 0:
        children = (node, node)
    else:
        for name in ("feature", "threshold", "default_left"):
            into[name][position] = getattr(tree, name)[node]
    for side, child in enumerate(children):
        _place(tree, child, 2 * position + 1 + side, into)


def _floored(thresholds: NDArray[Any]) -> NDArray[np.float32]:
    """Largest float32 not above each threshold: for a float32 x, x <= threshold exactly when x <= this."""
    single = thresholds.astype(np.float32)
    result: NDArray[np.float32] = np.where(
        single.astype(np.float64) > thresholds, np.nextafter(single, np.float32(-np.inf)), single
    )
    return result


def _average_path_length(samples: int) -> float:
    """Mean path length of an unsuccessful search in a binary search tree of so many samples (Liu et al., 2008)."""
    if samples <= 1:
        raise ValueError("a forest of single samples cannot be served")
    if samples == 2:
        return 1.0
    return float(2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples)


def _base_margin(text: str) -> float:
    """xgboost keeps the base score as a probability, in newer versions as text in brackets."""
    score = np.float32(text.strip("[]"))
    return float(-np.log(np.float32(1.0) / score - np.float32(1.0)))
