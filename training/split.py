"""The time-ordered split, and what was known of the labels when the model was trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.settings import TrainingDataError

DAY = 86400.0
MIN_DAYS = 20


@dataclass(frozen=True, slots=True)
class Split:
    """Boundaries in seconds since the epoch, each part running up to the next.

    warm-up (windows fill, nothing is learnt) | train | calibrate | mature (waiting for labels) | test.
    `cut_off` = start of the test. A label that had not arrived at `known_by` is unknown, and unknown counts as not
    fraud.
    """

    train: float
    calibrate: float
    mature: float
    cut_off: float
    end: float
    known_by: float

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
        """The labels as known when it is trained; `label_times` is NaN where none ever arrives."""
        return labels & (label_times <= self.known_by)


def split_by_time(start: float, end: float, judged_days: float | None = None) -> Split:
    """2 % warm-up, 52 % train, 17 % calibrate, 12 % mature, 17 % test of the time from `start` to `end` (seconds).

    `judged_days`: a retraining happens after `end`, when the labels of all parts have arrived. So nothing has to
    mature, the test is as long as is said, and what is before it serves training, its newest fifth to calibrate.
    """
    length = end - start
    if length < MIN_DAYS * DAY:
        raise TrainingDataError(
            f"{max(0.0, length / DAY):.0f} days to learn from; at least {MIN_DAYS}: labels take weeks to arrive"
        )
    if judged_days is not None:
        judged = end - DAY * judged_days
        learnt = judged - start
        if learnt < MIN_DAYS / 2 * DAY:
            raise TrainingDataError(f"{learnt / DAY:.0f} days to learn from before those that judge; at least 10")
        return Split(start + 0.02 * learnt, start + 0.8 * learnt, judged, judged, end, known_by=math.inf)
    at = [start + length * share for share in (0.02, 0.54, 0.71, 0.83)]
    return Split(at[0], at[1], at[2], at[3], end, known_by=at[3])
