"""When it is time to train again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assay.intelligence.retraining_policy import RetrainingPolicy
from training.retraining.triggers import Situation, need

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
POLICY = RetrainingPolicy()
QUIET = Situation(NOW, NOW - timedelta(days=3), None, 0, ())


def test_nothing_calls_for_it_and_it_says_what_was_looked_at() -> None:
    found = need(QUIET, POLICY)
    assert not found.train
    assert found.reasons == [
        "nothing calls for it: no drift in alarm, 0 new labels of 500, the champion's age is 3 days of 30"
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"drifted": ("amount",)}, "drift of amount"),
        ({"drifted": tuple("abcdefg")}, "drift of a, b, c, d, e and 2 more"),
        ({"new_labels": 500}, "500 new labels"),
        ({"champion_since": NOW - timedelta(days=30)}, "the champion is 30 days old"),
    ],
)
def test_each_trigger(change: dict[str, object], told: str) -> None:
    found = need(replace(QUIET, **change), POLICY)  # type: ignore[arg-type]
    assert (found.train, found.reasons) == (True, [told])


@pytest.mark.parametrize(
    "change",
    [
        {"new_labels": 499},
        {"champion_since": NOW - timedelta(days=30) + timedelta(seconds=1)},
        {"champion_since": None},
    ],
)
def test_not_yet(change: dict[str, object]) -> None:
    assert not need(replace(QUIET, **change), POLICY).train  # type: ignore[arg-type]


def test_triggers_may_be_switched_off() -> None:
    loud = Situation(NOW, NOW - timedelta(days=900), None, 9_999, ("amount",))
    off = RetrainingPolicy(on_drift=False, new_labels=None, age_days=None)
    assert len(need(loud, POLICY).reasons) == 3
    assert not need(loud, off).train


def test_the_cool_down_is_stronger() -> None:
    drifting = replace(QUIET, drifted=("amount",))
    pause = timedelta(hours=POLICY.cool_down_hours)
    cooling = need(replace(drifting, last_retraining=NOW - pause + timedelta(seconds=1)), POLICY)
    assert not cooling.train
    assert "drift of amount; but the last was at" in cooling.reasons[0]
    assert need(replace(drifting, last_retraining=NOW - pause), POLICY).train
