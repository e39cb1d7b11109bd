"""A release in the shadow of another, and when a fresh champion must go."""

import numpy as np
from numpy.typing import NDArray

from assay.intelligence.retraining_policy import Watch
from training.costs import Costs
from training.retraining.shadow import Decided, Truth, compare, regression
from training.settings import default

COSTS = Costs.load(default("costs.yaml"))
LIMITS = Watch()
ROWS = 1_000
UNKNOWN = np.zeros(ROWS, dtype=np.bool_)
NO_LABELS = Truth(UNKNOWN, UNKNOWN, np.full(ROWS, 100.0))


def decided(declined: int, challenged: int = 0, score: float = 0.1) -> Decided:
    decisions = np.full(ROWS, "APPROVE", dtype="<U9")
    decisions[:declined] = "DECLINE"
    decisions[declined : declined + challenged] = "CHALLENGE"
    return Decided(np.full(ROWS, score), decisions)


def truth(labelled: NDArray[np.bool_], fraud: NDArray[np.bool_]) -> Truth:
    return Truth(labelled, fraud, np.full(ROWS, 100.0))


def test_what_would_be_otherwise_and_what_it_was() -> None:
    served, shadow = decided(10), decided(0, 4, score=0.3)
    served.scores[0] = np.nan
    known = np.arange(ROWS) < 6
    found = compare(("a", "b"), served, shadow, truth(known, known & (np.arange(ROWS) < 2)), COSTS)
    assert (found.events, found.labelled, found.agreement) == (ROWS, 6, 0.99)
    assert (found.decline_rate, found.challenge_rate) == ((0.01, 0.0), (0.0, 0.004))
    assert (found.score_shift, found.score_distance) == (0.2, 0.2)
    assert [(each.served, each.shadow, each.transactions, each.fraud, each.legitimate) for each in found.differing] == [
        ("DECLINE", "APPROVE", 6, 0, 2),
        ("DECLINE", "CHALLENGE", 4, 2, 2),
    ]
    assert found.cost_per_1000 is not None


def test_without_labels_there_is_no_cost() -> None:
    assert compare(("a", "b"), decided(1), decided(2), NO_LABELS, COSTS).cost_per_1000 is None


def test_too_many_declines_or_challenges() -> None:
    assert regression(decided(10), decided(10), NO_LABELS, COSTS, LIMITS) == []
    (reason,) = regression(decided(60), decided(10), NO_LABELS, COSTS, LIMITS)
    assert reason == "DECLINE 1.00% -> 6.00% of 1000 transactions"
    (reason,) = regression(decided(0, 300), decided(0, 100), NO_LABELS, COSTS, LIMITS)
    assert reason.startswith("CHALLENGE")


def test_fewer_declines_are_no_fault() -> None:
    assert regression(decided(0), decided(60), NO_LABELS, COSTS, LIMITS) == []


def test_more_but_not_by_as_much_as_the_policy_says() -> None:
    assert regression(decided(0, 140), decided(0, 100), NO_LABELS, COSTS, LIMITS) == []


def test_twice_of_next_to_nothing_may_be_chance() -> None:
    assert regression(decided(4), decided(2), NO_LABELS, COSTS, LIMITS) == []


def test_too_few_transactions() -> None:
    limits = Watch(min_events=ROWS + 1)
    assert regression(decided(ROWS), decided(0), NO_LABELS, COSTS, limits) == []


def test_frauds_that_the_one_before_would_have_stopped() -> None:
    fraud = np.arange(ROWS) < 40
    blind, seeing = decided(0), decided(40)
    (reason,) = regression(blind, seeing, truth(fraud, fraud), COSTS, LIMITS)
    assert reason.endswith("40 labelled transactions")
    assert regression(seeing, blind, truth(fraud, fraud), COSTS, LIMITS)  # the rate: 0 before
    few = np.arange(ROWS) < LIMITS.min_labels - 1
    assert regression(blind, seeing, truth(few, few), COSTS, LIMITS) == []
