"""Walks all trees of an ensemble at once: perfect (padded) binary trees, level by level, as flat arrays.

A node sends a row right when `compare(value, threshold)`. Nodes of a level lie side by side, tree after tree, so that
the children of position p are 2p and 2p+1 of the next level and no child pointers are needed. A leaf above the last
level is padded: all its descendants carry its value, and it does not matter which of them a row reaches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.models.arrays import require

Indices = NDArray[np.intp]
Singles = NDArray[np.float32]
PADDING = -1
"""The feature of a node that is only padding."""
MAX_DEPTH = 10
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class _Level:
    feature: Indices
    threshold: Singles
    take_feature: Callable[..., Any]
    take_threshold: Callable[..., Any]


class _Scratch(threading.local):
    """Buffers of one thread: a walk runs to its end without awaiting, so coroutines of a thread can share them."""

    def __init__(self, trees: int) -> None:
        self.position = np.empty(trees, np.intp)
        self.feature = np.empty(trees, np.intp)
        self.value = np.empty(trees, np.float32)
        self.threshold = np.empty(trees, np.float32)
        self.right = np.empty(trees, np.bool_)


class _Chunk:
    """Buffers of one call over many rows: an ensemble's temporaries would cost more than its comparisons."""

    def __init__(self, trees: int, inputs: int) -> None:
        shape = (_CHUNK, trees)
        row = np.arange(_CHUNK, dtype=np.intp)[:, None] * inputs
        self.parts: tuple[NDArray[Any], ...] = (
            np.empty(shape, np.intp),
            np.empty(shape, np.float32),
            np.empty(shape, np.float32),
            np.empty(shape, np.bool_),
            row,
        )


class Walker:
    """Finds the leaf of every tree for a row. Re-entrant across threads and coroutines."""

    def __init__(self, feature: Indices, threshold: Singles, compare: np.ufunc) -> None:
        """feature, threshold: (trees, 2**depth - 1), nodes in level order; features index into the walked vector."""
        self.trees = len(feature)
        self.depth = depth_of(feature)
        self._compare = compare
        self._second = np.arange(self.trees, dtype=np.intp) * 2
        self._levels = [_level(feature, threshold, level) for level in range(self.depth)]
        self._scratch = _Scratch(self.trees)

    def leaves(self, vector: Singles) -> Indices:
        """Flat leaf positions (trees,), tree * 2**depth + leaf. Valid until the thread's next walk: do not keep."""
        s = self._scratch
        position, indices, value, threshold, right = s.position, s.feature, s.value, s.threshold, s.right
        take, compare, add = vector.take, self._compare, np.add
        # mode "clip" is the only one that writes to `out` without a buffer; every index was checked at load
        top = self._levels[0]
        take(top.feature, None, value, "clip")
        compare(value, top.threshold, right)
        add(self._second, right, position)
        for level in self._levels[1:]:
            level.take_feature(position, None, indices, "clip")
            take(indices, None, value, "clip")
            level.take_threshold(position, None, threshold, "clip")
            compare(value, threshold, right)
            add(position, position, position)
            add(position, right, position)
        return position

    def leaves_of_rows(self, vectors: Singles) -> Indices:
        """Leaf positions (rows, trees) of vectors (rows, inputs), equal to `leaves` of each."""
        result = np.empty((len(vectors), self.trees), np.intp)
        buffers = _Chunk(self.trees, vectors.shape[1])
        for start in range(0, len(vectors), _CHUNK):
            self._walk(np.ascontiguousarray(vectors[start : start + _CHUNK]), result[start : start + _CHUNK], buffers)
        return result

    def _walk(self, vectors: Singles, position: Indices, buffers: _Chunk) -> None:
        """As `leaves`, for the rows of a chunk side by side; `position` (rows, trees) is filled."""
        indices, value, threshold, right, row = (each[: len(vectors)] for each in buffers.parts)
        flat = vectors.ravel()
        top = self._levels[0]
        np.add(top.feature, row, indices)
        flat.take(indices, None, value, "clip")
        self._compare(value, top.threshold, right)
        np.add(self._second, right, position)
        for level in self._levels[1:]:
            level.take_feature(position, None, indices, "clip")
            np.add(indices, row, indices)
            flat.take(indices, None, value, "clip")
            level.take_threshold(position, None, threshold, "clip")
            self._compare(value, threshold, right)
            np.add(position, position, position)
            np.add(position, right, position)


def depth_of(feature: NDArray[Any]) -> int:
    """Depth of trees kept as (trees, 2**depth - 1) nodes. ReleaseError when that is not their shape."""
    trees, nodes = (int(size) for size in feature.shape)
    depth = (nodes + 1).bit_length() - 1
    require(trees and 1 <= depth <= MAX_DEPTH and nodes + 1 == 1 << depth, f"no perfect trees: {feature.shape}")
    return depth


def check_trees(feature: NDArray[np.int16], threshold: Singles, leaf: NDArray[Any], features: int) -> None:
    """ReleaseError unless the arrays fit together and no index can point outside."""
    depth = depth_of(feature)
    require(threshold.shape == feature.shape, "thresholds do not match the nodes")
    require(leaf.shape == (len(feature), 1 << depth), "leaves do not match the nodes")
    require(feature.min() >= PADDING and feature.max() < features, "a node asks for a feature that is not there")
    parents = feature[:, : (1 << depth - 1) - 1] == PADDING
    children = feature[:, 1:] == PADDING
    require(not (np.repeat(parents, 2, axis=1) & ~children).any(), "a split below a leaf")
    padded = np.repeat(feature[:, (1 << depth - 1) - 1 :] == PADDING, 2, axis=1)
    pairs = leaf.reshape(len(leaf), -1, 2)
    require((pairs[:, :, 0] == pairs[:, :, 1])[padded[:, ::2]].all(), "a padded leaf with two values")


def _level(feature: Indices, threshold: Singles, level: int) -> _Level:
    nodes = slice((1 << level) - 1, (1 << level + 1) - 1)
    features = np.ascontiguousarray(feature[:, nodes], dtype=np.intp).ravel()
    thresholds = np.ascontiguousarray(threshold[:, nodes], dtype=np.float32).ravel()
    return _Level(features, thresholds, features.take, thresholds.take)
