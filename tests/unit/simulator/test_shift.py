"""A planted drift: nothing before its day, more of what it names after it."""

from __future__ import annotations

from collections import Counter
from statistics import median

import pytest

from training.simulator import START, Shift, SimulatedTransaction, simulate

DAY = 86400


def transactions(shift):
    return [event for event in simulate(6, 300, 40, shift=shift) if isinstance(event, SimulatedTransaction)]


@pytest.fixture(scope="module")
def plain():
    return transactions(Shift())


def test_until_its_day_nothing_is_different(plain):
    shifted = transactions(Shift({"card_testing": 8.0, "amounts": 2.0}, 20))
    until = START.timestamp() + 20 * DAY
    assert [tx for tx in shifted if tx.time < until] == [tx for tx in plain if tx.time < until]


def test_a_story_is_told_more_often_and_the_others_are_not(plain):
    shifted = transactions(Shift({"card_testing": 20.0}, 20))
    before, after = (Counter(tx.story for tx in stream if tx.label) for stream in (plain, shifted))
    assert after["card_testing"] > 4 * before["card_testing"]
    assert after["talked_into_paying"] < 3 * before["talked_into_paying"]


def test_amounts_inflate(plain):
    shifted = transactions(Shift({"amounts": 3.0}, 20))
    since = START.timestamp() + 20 * DAY
    medians = [median(tx.amount for tx in stream if tx.time >= since) for stream in (plain, shifted)]
    assert medians[1] == pytest.approx(3 * medians[0], rel=0.1)  # who is rich, and so worth robbing, changes with it


@pytest.mark.parametrize("factors", [{"nobody": 2.0}, {"botnet": -1.0}, {"botnet": float("nan")}, {"amounts": 0.0}])
def test_what_cannot_be_shifted_is_refused(factors):
    with pytest.raises(ValueError, match=next(iter(factors))):
        Shift(factors)
