"""Exact path-dependent TreeSHAP of boosted trees from tables, equal to xgboost's `pred_contribs`.

The contribution of feature i at one leaf, over the distinct features j on its path, is the Shapley value of a product
game, which has the closed form (Lundberg et al., 2018, with the subset weights written as a Beta integral)

    leaf * (o_i - z_i) * integral over t in [0, 1] of prod_{j != i} ((1 - t) z_j + t o_j)

where z is the share of the training weight that follows the path at that feature, and o is 1 when the row does, else 0.
The integrand is a polynomial of degree depth - 1, so a few Gauss-Legendre points give it exactly. It depends on the row
only through which way each split on the path sends it: all outcomes are tabulated when the model is loaded.

One table serves a block: four neighbouring leaves, under the last three splits (a pair of lowest splits and their
parent), with the depth - 2 splits above. Its depth + 1 splits have 2**(depth + 1) outcomes, each with one number per
split, so a row costs one look-up per block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.models.arrays import require
from assay.models.boosted_trees import BoostedTrees
from assay.models.trees import PADDING, depth_of

Floats = NDArray[np.float64]
Array = NDArray[np.float64]
MIN_DEPTH, MAX_DEPTH = 2, 7
"""A block's splits are packed into one byte: depth + 1 of them."""
_SMALLEST_SHARE = 1e-9
"""Keeps a path that no training row took from dividing by zero."""
_TREES_AT_ONCE = 16


class TreeShap:
    """Contributions of each feature to the margin of one row. Re-entrant: keeps nothing between calls."""

    def __init__(self, model: BoostedTrees) -> None:
        """Builds the tables. Raises ReleaseError when the trees are too shallow or too deep."""
        feature = model.arrays["feature"]
        self.features = model.features
        self._model = model
        self._depth = depth_of(feature)
        require(MIN_DEPTH <= self._depth <= MAX_DEPTH, f"TreeSHAP serves depth {MIN_DEPTH} to {MAX_DEPTH}")
        shares, values = _shares_and_values(model, self._depth)
        self.expected_margin = float(model.base_margin) + float((shares.prod(axis=2) * values).sum())
        paths = _path_features(feature, self._depth)
        self._table = _tables(paths, shares, values, self._depth)
        nodes = _block_nodes(self._depth)
        trees = np.arange(len(feature), dtype=np.intp)[:, None, None]
        flat = (trees * feature.shape[1] + nodes).reshape(-1, self._depth + 1)
        self._nodes = flat
        self._inputs = model.inputs.ravel().astype(np.intp)
        self._thresholds = model.arrays["threshold"].ravel()
        self._owner = np.maximum(feature.ravel()[flat], 0).astype(np.intp).ravel()
        self._block = np.arange(len(flat), dtype=np.intp) << (self._depth + 1)

    def contributions(self, row: Floats) -> Floats:
        """Contributions (features,) in units of the margin; with `expected_margin` they add up to the margin."""
        right = self._model.vector(row).take(self._inputs) >= self._thresholds
        outcome = np.packbits(right.take(self._nodes), axis=1, bitorder="little")[:, 0]
        cells = self._table.take(self._block + outcome, axis=0)
        result: Floats = np.bincount(self._owner, cells.ravel(), self.features).astype(np.float64, copy=False)
        return result


def _shares_and_values(model: BoostedTrees, depth: int) -> tuple[Array, Array]:
    """Per leaf: share of the weight that follows each edge of its path (trees, leaves, depth); value (trees, leaves).

    Below a leaf that is not at the last level there is only padding: share 1, and one copy keeps the value.
    """
    feature, cover, leaf = model.arrays["feature"], model.arrays["cover"].astype(np.float64), model.arrays["leaf"]
    splits = feature.shape[1]
    share = cover[:, 1:] / np.repeat(cover[:, :splits], 2, axis=1)
    padding = np.repeat(feature == PADDING, 2, axis=1)
    share = np.maximum(np.where(padding, 1.0, share), _SMALLEST_SHARE)
    copies = np.zeros(share.shape, np.bool_)
    copies[:, 1::2] = padding[:, 1::2]
    edges = _path_edges(depth)
    values = np.where(copies[:, edges].any(axis=2), 0.0, leaf.astype(np.float64))
    return share[:, edges], values


def _path_edges(depth: int) -> NDArray[np.intp]:
    """Per leaf (leaves, depth): the edges from the root, named by the node they enter, minus one."""
    node = np.arange((1 << depth) - 1, (1 << depth + 1) - 1, dtype=np.intp)
    steps = []
    for _ in range(depth):
        steps.append(node - 1)
        node = (node - 1) // 2
    return np.stack(steps[::-1], axis=1)


def _path_features(feature: NDArray[np.int16], depth: int) -> NDArray[np.int16]:
    """Per leaf (trees, leaves, depth): the feature of each split on its path, PADDING where there is none."""
    return feature[:, _path_edges(depth) // 2]


def _block_nodes(depth: int) -> NDArray[np.intp]:
    """Per block of a tree (blocks, depth + 1): the splits above from the root, their last, and its two children."""
    edges = _path_edges(depth) // 2
    return np.concatenate([edges[::4], edges[2::4, -1:]], axis=1)


def _tables(paths: NDArray[np.int16], shares: Array, values: Array, depth: int) -> NDArray[np.float32]:
    """(blocks * 2**(depth + 1), depth + 1): per block and outcome, a contribution for each of its splits."""
    trees, leaves = values.shape
    result = np.empty((trees * leaves // 4, 1 << depth + 1, depth + 1), np.float32)
    per_tree = leaves // 4
    for start in range(0, trees, _TREES_AT_ONCE):
        chunk = slice(start, start + _TREES_AT_ONCE)
        leaf = _leaf_tables(paths[chunk], shares[chunk], values[chunk], depth)
        blocks = result[start * per_tree : (start + _TREES_AT_ONCE) * per_tree]
        # outcome bits, lowest first: the splits above, their last, the left lowest split, the right lowest split
        half = 1 << depth - 1
        pair = leaf.reshape(-1, 2, 2, 1 << depth, depth).sum(axis=2).reshape(-1, 2, 2, half, depth)
        left, right = pair[:, 0], pair[:, 1]
        table = blocks.reshape(-1, 2, 2, half, depth + 1)  # [block, right bit, left bit, the rest, split]
        table[..., : depth - 1] = left[:, None, :, :, :-1] + right[:, :, None, :, :-1]
        table[..., depth - 1] = left[:, None, :, :, -1]
        table[..., depth] = right[:, :, None, :, -1]
    return result.reshape(-1, depth + 1)


def _leaf_tables(paths: NDArray[np.int16], shares: Array, values: Array, depth: int) -> Array:
    """(leaves, 2**depth, depth): per leaf and outcome of the splits on its path, a contribution for each split."""
    z, mask = _players(paths.reshape(-1, depth), shares.reshape(-1, depth))
    nodes, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    t = ((nodes + 1) / 2)[:, None, None]
    o = np.array([0.0, 1.0])
    # (leaves, points, players, o): a player's factor of the integrand, and what divides it out of the product again
    factor = (1 - t) * z[:, None, :, None] + t * o
    term = (weights / 2)[:, None, None] * (o - z[:, :, None])[:, None] / factor * values.reshape(-1, 1, 1, 1)
    product = np.ones((len(z), len(nodes), 1))
    for player in range(depth):
        product = (factor[:, :, player, :, None] * product[:, :, None, :]).reshape(len(z), len(nodes), -1)
    table = np.empty((len(z), 1 << depth, depth))
    for player in range(depth):
        by_o = product.reshape(len(z), len(nodes), -1, 2, 1 << player)
        parts = by_o * term[:, :, None, player, :, None]
        table[:, :, player] = parts.sum(axis=1).reshape(len(z), -1)
    rows = _satisfied(mask, depth) + (np.arange(len(z), dtype=np.intp) << depth)[:, None]
    return table.reshape(-1, depth).take(rows, axis=0)


def _players(paths: NDArray[np.int16], shares: Array) -> tuple[Array, NDArray[np.uint8]]:
    """Per leaf and split of its path: z, and the splits (bits) that a row must follow for o = 1.

    A feature that occurs more than once plays where it occurs first, with the product of its shares; the other places,
    and padding, become players that change nothing: z = 1, and o = 1 always.
    """
    depth = paths.shape[1]
    same = (paths[:, :, None] == paths[:, None, :]) & (paths != PADDING)[:, :, None]
    first = same.any(axis=2) & (same.argmax(axis=2) == np.arange(depth))
    z = np.where(first, np.where(same, shares[:, None, :], 1.0).prod(axis=2), 1.0)
    return z, np.where(first, same @ (1 << np.arange(depth)), 0).astype(np.uint8)


def _satisfied(mask: NDArray[np.uint8], depth: int) -> NDArray[np.intp]:
    """(leaves, 2**depth): per leaf and outcome of the splits on its path, the players with o = 1, as bits."""
    leaf = np.arange(1 << depth)
    bits = 1 << np.arange(depth)
    wanted = (leaf[:, None] >> np.arange(depth)[::-1] & 1) @ bits  # the outcome that leads to each leaf
    follows = np.tile(~(leaf ^ wanted[:, None]).astype(np.uint8), (len(mask) >> depth, 1))
    result = np.zeros(follows.shape, np.uint8)
    for player in range(depth):
        needed = mask[:, player, None]
        result |= ((follows & needed) == needed).view(np.uint8) << np.uint8(player)
    return result.astype(np.intp)
