"""Autoencoder: a scaled row through a small ReLU network that learned to reproduce honest rows."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from assay.models.arrays import require, unpack

Floats = NDArray[np.float64]
MAX_LAYERS = 9
_LAYER = re.compile(rb"weight_\d")


class Autoencoder:
    """error = mean squared difference between the scaled row and its reconstruction."""

    def __init__(self, data: bytes, features: int) -> None:
        """Reads the arrays of `training.export.export_autoencoder`. Raises ReleaseError."""
        count = len(set(_LAYER.findall(data)))
        require(1 <= count <= MAX_LAYERS, "no layers, or too many")
        arrays = unpack(data, spec(count))
        self.features = features
        self._mean, self._scale = arrays["mean"], arrays["scale"]
        require(self._mean.shape == self._scale.shape == (features,), "the scaler does not match the features")
        require((self._scale > 0).all(), "a scale that is not positive")
        self._layers = [(arrays[f"weight_{i}"], arrays[f"bias_{i}"]) for i in range(count)]
        widths = [weight.shape[0] for weight, _ in self._layers] + [features]
        require(widths[0] == features and min(widths) > 0, "the network does not match the features")
        for (weight, bias), shape in zip(self._layers, pairwise(widths), strict=True):
            require(weight.shape == shape and bias.shape == shape[1:], "layers that do not fit together")

    def differences(self, row: Floats) -> Floats:
        """Reconstruction minus scaled value: (features,) of one row, no NaN; (n, features) of rows (n, features)."""
        scaled = row - self._mean
        scaled /= self._scale
        hidden = scaled
        for weight, bias in self._layers[:-1]:
            hidden = hidden.dot(weight)
            hidden += bias
            np.maximum(hidden, 0.0, out=hidden)
        weight, bias = self._layers[-1]
        difference: Floats = hidden.dot(weight)
        difference += bias
        difference -= scaled
        return difference

    def error(self, row: Floats) -> float:
        """Mean squared error of one row (features,)."""
        difference = self.differences(row)
        return float(difference.dot(difference)) / self.features

    def errors(self, rows: Floats) -> Floats:
        """Mean squared errors (n,) of rows (n, features)."""
        result: Floats = np.square(self.differences(rows)).mean(axis=1)
        return result


def spec(layers: int) -> dict[str, tuple[type[np.generic], int]]:
    """Arrays of a network of so many layers: mean, scale (features,), weight_i (inputs, outputs), bias_i (outputs,)."""
    names: dict[str, tuple[type[np.generic], int]] = {"mean": (np.float64, 1), "scale": (np.float64, 1)}
    for index in range(layers):
        names[f"weight_{index}"] = (np.float64, 2)
        names[f"bias_{index}"] = (np.float64, 1)
    return names
