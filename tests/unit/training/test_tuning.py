import numpy as np
import pytest

from training.tuning import PROVEN, RUNGS, candidates, tune


def data(rows=1_500):
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(rows, 4))
    return matrix, matrix[:, 0] + 0.5 * rng.normal(size=rows) > 1.5


def test_the_budget_bounds_the_search_and_the_seed_repeats_it():
    matrix, labels = data()
    judged = []

    def judge(margins):
        judged.append(margins)
        return float(np.abs((margins > 0) ^ labels).mean())

    found, history = tune((matrix, labels), matrix, judge, 9, 5, lambda share: None)
    assert len(judged) == len(history) == 9 + 3
    assert {each.rounds for each in history} == set(RUNGS[:2])
    last = [each for each in history if each.rounds == RUNGS[1]]
    assert found == min(last, key=lambda each: each.loss).parameters
    again, _ = tune((matrix, labels), matrix, judge, 9, 5, lambda share: None)
    assert again == found


def test_candidates_begin_with_the_proven_and_stay_shallow():
    drawn = candidates(40, 1)
    assert [each["max_depth"] for each in drawn[:2]] == [each["max_depth"] for each in PROVEN]
    assert all(3 <= each["max_depth"] <= 5 for each in drawn)
    assert candidates(1, 1) == drawn[:1]
    assert candidates(40, 2) != drawn


@pytest.mark.parametrize("trials", [1, 2])
def test_one_candidate_needs_no_second_rung(trials):
    matrix, labels = data()
    shares = []
    _, history = tune((matrix, labels), matrix, lambda margins: 0.0, trials, 1, shares.append)
    assert len(history) == trials
    assert all(0 <= share <= 1 for share in shares)
