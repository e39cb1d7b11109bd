from itertools import product

import numpy as np
import pytest

from assay.policy import Policy
from training.costs import Costs, best_thresholds
from training.decisions import decide
from training.settings import TrainingDataError, default

COSTS = Costs.load(default("costs.yaml"))
POLICY = Policy.load(default("policy.yaml"))


def bank(rows=20_000, seed=0):
    """Scores that keep their word, and rules and anomaly flags that know a little."""
    rng = np.random.default_rng(seed)
    scores = np.where(rng.random(rows) < 0.05, rng.random(rows), rng.random(rows) * 0.02)
    labels = rng.random(rows) < scores
    flags = rng.choice(["ALLOW", "FLAG", "BLOCK"], rows, p=[0.9, 0.098, 0.002])
    return labels, rng.lognormal(3.5, 1.0, rows), scores, flags, rng.random(rows) < 0.01


def cost_at(flagged, challenge, decline, costs, labels, amounts, scores, flags, both):
    update = {"flag_escalates_above": flagged, "challenge_above": challenge, "decline_above": decline}
    policy = POLICY.model_copy(update=update)
    decisions = decide(policy, flags, scores, both)
    return costs.of(labels, amounts).per_1000(decisions), (decisions == "DECLINE").mean() * 1000


def with_capacity(alerts):
    return COSTS.model_copy(update={"capacity": COSTS.capacity.model_copy(update={"alerts_per_1000": alerts})})


@pytest.mark.parametrize("alerts", [1000.0, 30.0, 12.0])
def test_no_other_thresholds_within_the_capacity_are_cheaper(alerts):
    labels, amounts, scores, flags, both = bank()
    costs = with_capacity(alerts)
    found = best_thresholds(costs, costs.of(labels, amounts), scores, flags, both, POLICY)
    rows = (costs, labels, amounts, scores, flags, both)
    told, declined = cost_at(found.flag_escalates_above, found.challenge_above, found.decline_above, *rows)
    assert found.cost_per_1000 == pytest.approx(told)  # what the decision table really does
    assert declined <= alerts
    challenges, declines, flagged = (
        (0.01, 0.03, 0.1, 0.3, 0.6),
        (0.1, 0.3, 0.5, 0.8, 0.95),
        (0.0, 0.01, 0.02, 0.05, 0.3),
    )
    for flag, challenge, decline in product(flagged, challenges, declines):
        if flag <= challenge <= decline:
            other, burden = cost_at(flag, challenge, decline, *rows)
            assert other >= told - 1e-9 or burden > alerts


def test_flags_that_know_nothing_escalate_only_what_the_score_would_challenge_anyway():
    labels, amounts, scores, flags, both = bank()
    found = best_thresholds(COSTS, COSTS.of(labels, amounts), scores, flags, both, POLICY)
    assert 0 < found.flag_escalates_above <= found.challenge_above
    update = {"flag_escalates": False}
    off = best_thresholds(COSTS, COSTS.of(labels, amounts), scores, flags, both, POLICY.model_copy(update=update))
    assert off.flag_escalates_above == 0.0
    assert off.cost_per_1000 >= found.cost_per_1000


def test_flags_that_know_more_than_the_score_escalate_below_its_threshold():
    labels, amounts, scores, _, both = bank()
    rng = np.random.default_rng(1)
    flags = np.where(labels | (rng.random(len(labels)) < 0.01), "FLAG", "ALLOW")
    found = best_thresholds(COSTS, COSTS.of(labels, amounts), np.minimum(scores, 0.05), flags, both, POLICY)
    assert found.flag_escalates_above < found.challenge_above


def test_fewer_hands_mean_a_higher_threshold():
    labels, amounts, scores, flags, both = bank()
    ample, scarce = (
        best_thresholds(with_capacity(alerts), COSTS.of(labels, amounts), scores, flags, both, POLICY)
        for alerts in (1000.0, 12.0)
    )
    assert scarce.decline_above > ample.decline_above
    assert scarce.cost_per_1000 >= ample.cost_per_1000


def test_a_capacity_that_rules_alone_exceed_still_gives_thresholds():
    labels, amounts, scores, flags, both = bank()
    found = best_thresholds(with_capacity(0.1), COSTS.of(labels, amounts), scores, flags, both, POLICY)
    assert found.decline_above == 0.99


def test_what_decisions_cost():
    outcomes = COSTS.of(np.array([True, False, True]), np.array([100.0, 100.0, np.nan]))
    assert outcomes.approve.tolist() == [125.0, 0.0, 25.0]
    assert outcomes.challenge.tolist() == pytest.approx([125 * 0.3 + 2, 2.0, 25 * 0.3 + 2])
    assert outcomes.decline.tolist() == [3.0, 23.0, 3.0]


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("each: 25", "each: -1", "missed_fraud"),
        ("stops: 0.7", "stops: 7", "stops"),
        ("alerts_per_1000: 8", "alerts_per_1000: 0", "capacity"),
        ("alert: {each: 3}", "", "alert"),
        ("version: 1", "version: 1\nextra: 2", "extra"),
        ("version: 1", "version: [", "costs.yaml"),
    ],
)
def test_costs_that_make_no_sense_are_refused_by_name(before, after, named):
    with pytest.raises(TrainingDataError, match=named):
        Costs.load(default("costs.yaml").replace(before, after))
