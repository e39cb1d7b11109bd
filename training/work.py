"""What a training run has made on its way to a release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from training.calibration import Fit
from training.evaluate import Firings
from training.fit import FittedAutoencoder, FittedForest, FittedXgboost
from training.prepare import Encoding, Part
from training.split import Split
from training.table import FeatureTable

Progress = Callable[[str, float], None]
"""Told the step under way and the share of it that is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for."""

    seed: int
    customers: int
    days: int
    start: datetime
    version: str

    @property
    def end(self) -> float:
        """End of the simulated time, seconds since the epoch."""
        return self.start.timestamp() + 86400 * self.days


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


@dataclass(frozen=True, slots=True)
class Fitted:
    """The three models and the calibration."""

    forest: FittedForest
    autoencoder: FittedAutoencoder
    xgboost: FittedXgboost
    calibration: Fit


def within(firings: Firings, data: Data, part: Part) -> Firings:
    """The firings of one part, out of those of all live rows."""
    chosen = part.rows[data.live]
    return Firings({rule: column[chosen] for rule, column in firings.fired.items()}, firings.flags[chosen])
