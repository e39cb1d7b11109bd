"""Differences between two releases on the same rows, and chance."""

import numpy as np
import pytest

from training.retraining.paired import Switched, cost_difference, switched


def test_only_what_differs_counts() -> None:
    first = np.array([True, True, True, False, False])
    second = np.array([True, False, False, True, False])
    found = switched(first, second)
    assert (found.rows, found.first_only, found.second_only) == (5, 2, 1)
    assert found.lost == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("first_only", "second_only", "chance"),
    [(0, 0, 1.0), (1, 0, 0.5), (5, 0, 1 / 32), (8, 2, 56 / 1024), (0, 5, 1.0)],
)
def test_chance_is_that_of_a_coin(first_only: int, second_only: int, chance: float) -> None:
    assert Switched(1_000, first_only, second_only).chance == pytest.approx(chance)


def test_nothing_is_lost_of_nothing() -> None:
    assert Switched(0, 0, 0).lost == 0.0


def test_the_bounds_hold_the_truth_as_often_as_they_say() -> None:
    """Two releases that differ by 3 per 1,000 on average, seen many times."""
    random = np.random.default_rng(3)
    above = 0
    for seed in range(200):
        champion = random.exponential(10, 2_000) * (random.random(2_000) < 0.1)
        challenger = champion + random.normal(0.003, 1.0, 2_000) * (random.random(2_000) < 0.3)
        above += cost_difference(champion, challenger, 0.95, seed).low > 0.003 * 0.3 * 1_000
    assert above / 200 < 0.09


def test_equal_costs_differ_by_nothing() -> None:
    costs = np.array([1.0, 2.0, 3.0])
    found = cost_difference(costs, costs, 0.95)
    assert (found.per_1000, found.low, found.high) == (0.0, 0.0, 0.0)


def test_the_same_rows_give_the_same_bounds() -> None:
    random = np.random.default_rng(1)
    first, second = random.random(500), random.random(500)
    assert cost_difference(first, second, 0.9) == cost_difference(first, second, 0.9)
    assert cost_difference(first, second, 0.9).per_1000 == pytest.approx(1000 * (second - first).mean())
