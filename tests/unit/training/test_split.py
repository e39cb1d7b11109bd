"""The split of a retraining: everything but the judged days is learnt from."""

import numpy as np
import pytest

from training.settings import TrainingDataError
from training.split import DAY, split_by_time


def test_a_retraining_keeps_only_the_judged_days() -> None:
    split = split_by_time(0.0, 100 * DAY, judged_days=20)
    times = np.arange(0, 120, 0.5) * DAY
    test, calibrate, train = (split.part(times, name) for name in ("test", "calibrate", "train"))
    assert (times[test].min(), times[test].max()) == (80 * DAY, 99.5 * DAY)
    assert times[calibrate].max() == 79.5 * DAY
    assert times[train].max() < times[calibrate].min() <= 64 * DAY
    assert not (train & calibrate).any() and not (calibrate & test).any()


def test_labels_that_came_after_the_judged_days_began_count_in_a_retraining() -> None:
    labels, late = np.array([True, True, False]), np.array([90 * DAY, np.nan, np.nan])
    assert split_by_time(0.0, 100 * DAY, judged_days=20).known(labels, late).tolist() == [True, False, False]
    assert split_by_time(0.0, 100 * DAY).known(labels, late).tolist() == [False, False, False]


@pytest.mark.parametrize(("days", "judged"), [(19, None), (29, 20), (15, 20)])
def test_too_short(days: int, judged: float | None) -> None:
    with pytest.raises(TrainingDataError, match="days to learn from"):
        split_by_time(0.0, days * DAY, judged)
