"""The one encoding of features as numbers: kept in the release, used by training and serving alike."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

FeatureValue = float | str | None
Floats = NDArray[np.float64]

TRANSFORMS = ("log1p",)
_LARGEST = float(np.finfo(np.float32).max)
"""The models compute in float32; what is larger is held at its end instead of overflowing."""


class Vectoriser:
    """Feature values by name -> a float64 row in the model's order.

    A number stays as it is and None becomes NaN, or the feature's median where medians are given (models that cannot
    take NaN). A category becomes its index in the release's list; unknown and unlisted values share the index after
    the last: a category of their own. The transform `log1p` is sign(x) * log1p(|x|), applied after the median.
    """

    def __init__(
        self,
        features: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        medians: Mapping[str, float] | None = None,
        transforms: Mapping[str, str] | None = None,
    ) -> None:
        """Raises ValueError for an unknown transform, or a number without a median where medians are given."""
        self.features = tuple(features)
        self._codes: list[tuple[int, dict[FeatureValue, float], float]] = []
        for index, name in enumerate(self.features):
            if name in categories:
                codes: dict[FeatureValue, float] = {value: float(i) for i, value in enumerate(categories[name])}
                self._codes.append((index, codes, float(len(codes))))
        self._category = frozenset(index for index, _, _ in self._codes)
        self._medians = self._median_values(medians)
        self._pairs = tuple(zip(self.features, self._medians, strict=True))
        self._logged = self._logged_columns(transforms or {})
        self._fills = medians is not None

    def row(self, features: Mapping[str, FeatureValue]) -> Floats:
        """One row, float64[features]. Raises ValueError when a number feature holds text."""
        get = features.get
        values: list[FeatureValue] = [median if (v := get(name)) is None else v for name, median in self._pairs]
        for index, codes, unknown in self._codes:
            values[index] = codes.get(values[index], unknown)
        try:
            numbers = array("d", cast(list[float], values))  # refuses what is not a number
        except (TypeError, OverflowError) as error:
            raise ValueError(f"not numbers: {self._texts(values) or values}") from error
        if not math.hypot(*numbers) <= _LARGEST:  # something is NaN or too large
            if self._fills:
                numbers = array("d", [m if math.isnan(v) else v for v, m in zip(numbers, self._medians, strict=True)])
            return self._transformed(_bounded(np.frombuffer(numbers)))
        return self._transformed(np.frombuffer(numbers))

    def rows(self, many: Sequence[Mapping[str, FeatureValue]]) -> Floats:
        """Rows (len(many), features), each equal to `row` of the same mapping."""
        result = np.empty((len(many), len(self.features)))
        for index, features in enumerate(many):
            result[index] = self.row(features)
        return result

    def table(self, columns: Mapping[str, Sequence[FeatureValue] | Floats]) -> Floats:
        """Rows (n, features) from whole columns, each equal to `row` of the same values; an absent column is unknown.

        Numbers: floats with NaN or None for unknown. Categories: texts or None. Raises ValueError for text in a number
        column or columns of unequal length.
        """
        lengths = {len(columns[name]) for name in self.features if name in columns}
        if len(lengths) != 1:
            raise ValueError(f"columns of unequal length, or none at all: {sorted(lengths)}")
        result = np.empty((lengths.pop(), len(self.features)))
        for index, name in enumerate(self.features):
            if index not in self._category:
                column = _numbers(name, columns[name]) if name in columns else np.float64(np.nan)
                result[:, index] = np.where(np.isnan(column), self._medians[index], column)
        for index, codes, unknown in self._codes:
            values = columns.get(self.features[index])
            result[:, index] = unknown if values is None else [codes.get(value, unknown) for value in values]
        return self._transformed(_bounded(result))

    def _transformed(self, numbers: Floats) -> Floats:
        if self._logged is not None:
            part = numbers[..., self._logged]
            numbers[..., self._logged] = np.copysign(np.log1p(np.abs(part)), part)
        return numbers

    def _median_values(self, medians: Mapping[str, float] | None) -> tuple[float, ...]:
        if medians is None:
            return (math.nan,) * len(self.features)
        missing = [name for i, name in enumerate(self.features) if i not in self._category and name not in medians]
        if missing:
            raise ValueError(f"no median for {missing}")
        return tuple(math.nan if i in self._category else medians[name] for i, name in enumerate(self.features))

    def _logged_columns(self, transforms: Mapping[str, str]) -> slice | list[int] | None:
        wrong = {name: kind for name, kind in transforms.items() if kind not in TRANSFORMS}
        columns = [index for index, name in enumerate(self.features) if name in transforms]
        if wrong or self._category.intersection(columns):
            raise ValueError(f"not a known transform, or one of a category: {wrong or sorted(transforms)}")
        if columns and columns[-1] - columns[0] + 1 == len(columns):
            return slice(columns[0], columns[-1] + 1)  # a view is four times as fast as a list of indices
        return columns or None

    def _texts(self, values: Sequence[FeatureValue]) -> list[str]:
        return [name for name, value in zip(self.features, values, strict=True) if isinstance(value, str)]


def _bounded(numbers: Floats) -> Floats:
    np.minimum(numbers, _LARGEST, out=numbers)
    np.maximum(numbers, -_LARGEST, out=numbers)
    return numbers


def _numbers(name: str, column: Sequence[FeatureValue] | Floats) -> Floats:
    values = np.asarray(column)
    if values.dtype.kind not in "fiub" and any(isinstance(value, str) for value in column):
        raise ValueError(f"not numbers: {[name]}")
    return values.astype(np.float64)
