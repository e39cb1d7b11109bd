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


def cost_at(challenge, decline, costs, labels, amounts, scores, flags, both):
    policy = POLICY.model_copy(update={"challenge_above": challenge, "decline_above": decline})
    decisions = decide(policy, flags, scores, both)
    return costs.of(labels, amounts).per_1000(decisions), (decisions == "DECLINE").mean() * 1000


def with_capacity(alerts):
    return COSTS.model_copy(update={"capacity": COSTS.capacity.model_copy(update={"alerts_per_1000": alerts})})


@pytest.mark.parametrize("alerts", [1000.0, 30.0, 12.0])
def test_no_other_pair_within_the_capacity_is_cheaper(alerts):
    labels, amounts, scores, flags, both = bank()
    costs = with_capacity(alerts)
    found = best_thresholds(costs, costs.of(labels, amounts), scores, flags, both, POLICY)
    told, declined = cost_at(found.challenge_above, found.decline_above, costs, labels, amounts, scores, flags, both)
    assert found.cost_per_1000 == pytest.approx(told)  # what the decision table really does
    assert declined <= alerts
    for challenge in (0.01, 0.03, 0.1, 0.3, 0.6):
        for decline in (0.1, 0.2, 0.3, 0.5, 0.8, 0.95):
            if challenge <= decline:
                other, burden = cost_at(challenge, decline, costs, labels, amounts, scores, flags, both)
                assert other >= told - 1e-9 or burden > alerts


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
