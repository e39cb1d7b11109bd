"""What a training run has made on its way to a release."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.calibration import Fit
from training.evaluate import Firings
from training.fit import FittedAutoencoder, FittedForest, FittedXgboost
from training.prepare import Encoding, Part
from training.settings import Settings
from training.split import Split
from training.table import FeatureTable
from training.tuning import Judged

Progress = Callable[[str, float], None]
"""Told the step under way and the share of it that is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for, and a sentence for the model card on where the data comes from."""

    settings: Settings
    source: str


@dataclass(frozen=True, slots=True)
class Data:
    """The rows, and the parts of them; `live` are all rows after the warm-up."""

    table: FeatureTable
    split: Split
    encoding: Encoding
    train: Part
    calibrate: Part
    test: Part

    @property
    def live(self) -> NDArray[np.bool_]:
        """All rows after the warm-up."""
        return self.table.times >= self.split.train

    def amounts(self, part: Part) -> NDArray[np.float64]:
        """Amounts of the part's rows in the base currency; NaN is unknown."""
        return self.table.numeric["amount"][part.rows]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The three models, the calibration, and how the classifier's parameters were found."""

    forest: FittedForest
    autoencoder: FittedAutoencoder
    xgboost: FittedXgboost
    calibration: Fit
    search: Sequence[Judged]


def within(firings: Firings, data: Data, part: Part) -> Firings:
    """The firings of one part, out of those of all live rows."""
    chosen = part.rows[data.live]
    return Firings({rule: column[chosen] for rule, column in firings.fired.items()}, firings.flags[chosen])
