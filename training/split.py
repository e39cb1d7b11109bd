"""The time-ordered split, and what was known of the labels when the model was trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.settings import TrainingDataError

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Split:
    """Boundaries in seconds since the epoch, each part running up to the next.

    warm-up (windows fill, nothing is learnt) | train | calibrate | mature (waiting for labels) | test.
    `cut_off` = start of the test: a label that had not arrived by then is unknown, and unknown counts as not fraud.
    """

    train: float
    calibrate: float
    mature: float
    cut_off: float
    end: float

    def part(self, times: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
        """Which rows belong to `train`, `calibrate` or `test`."""
        bounds = {
            "train": (self.train, self.calibrate),
            "calibrate": (self.calibrate, self.mature),
            "test": (self.cut_off, self.end),
        }
        lower, upper = bounds[name]
        return (times >= lower) & (times < upper)

    def known(self, labels: NDArray[np.bool_], label_times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The labels as known at the cut-off; `label_times` is NaN where none ever arrives."""
        return labels & (label_times <= self.cut_off)


def split_by_time(start: float, end: float) -> Split:
    """2 % warm-up, 52 % train, 17 % calibrate, 12 % mature, 17 % test of the time from `start` to `end` (seconds)."""
    length = end - start
    if length < 20 * DAY:
        raise TrainingDataError(
            f"{max(0.0, length / DAY):.0f} days to learn from; at least 20: labels take weeks to arrive"
        )
    at = [start + length * share for share in (0.02, 0.54, 0.71, 0.83)]
    return Split(at[0], at[1], at[2], at[3], end)
