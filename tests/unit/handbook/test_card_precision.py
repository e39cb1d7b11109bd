"""Card precision top-k and the measures of a row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from training.handbook.card_precision import card_precision
from training.handbook.measure import Measures, measure
from training.handbook.protocol import Columns
from training.handbook.published import FOUR_WEEKS
from training.handbook.report import Row, as_document, as_markdown, cells

rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 8), st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
    min_size=1,
    max_size=60,
)


def brute_force(transactions, cards):
    """Card by card, as one would explain it."""
    found, precisions = set(), []
    for day in sorted({when for when, *_ in transactions}):
        today = [row for row in transactions if row[0] == day and row[1] not in found]
        cards_today = sorted(
            {who for _, who, _, _ in today}, key=lambda who: (-max(row[3] for row in today if row[1] == who), who)
        )
        hits = {who for who in cards_today[:cards] if any(row[1] == who and row[2] for row in today)}
        precisions.append(len(hits) / cards)
        found |= hits
    return sum(precisions) / len(precisions)


@given(transactions=rows, cards=st.integers(1, 5))
def test_as_by_hand_for_any_transactions(transactions, cards):
    columns = [np.array(column) for column in zip(*transactions, strict=True)]
    assert card_precision(*columns, cards=cards) == pytest.approx(brute_force(transactions, cards), abs=1e-12)


def test_a_found_card_is_not_looked_at_again_and_a_missed_one_is():
    days = np.array([0, 0, 0, 1, 1, 1])
    customers = np.array([1, 2, 3, 1, 2, 3])
    frauds = np.array([True, False, True, True, False, True])
    scores = np.array([0.9, 0.8, 0.1, 0.9, 0.8, 0.7])
    # Day 0 checks 1 (found) and 2; day 1 leaves 1 out and checks 2 and 3 (found).
    assert card_precision(days, customers, frauds, scores, cards=2) == 0.5
    assert card_precision(days, customers, frauds, scores, cards=1) == 0.5  # 1, then 2


def test_the_highest_score_of_a_card_counts_even_when_another_row_is_the_fraud():
    days, customers = np.zeros(3, dtype=int), np.array([1, 1, 2])
    frauds, scores = np.array([False, True, False]), np.array([0.9, 0.1, 0.5])
    assert card_precision(days, customers, frauds, scores, cards=1) == 1.0


def test_measures_agree_with_sklearn_and_keep_the_rule_and_the_scenarios_apart():
    random = np.random.default_rng(5)
    count = 4_000
    scenarios = random.choice([0, 1, 2, 3], count, p=[0.9, 0.03, 0.04, 0.03])
    amounts = np.where(scenarios == 1, 250.0, 50.0)
    frauds = scenarios > 0
    scores = random.random(count) + 0.5 * frauds
    data = Columns(random.integers(0, 7, count), random.integers(0, 300, count), amounts, frauds, scenarios)
    chosen = np.arange(0, count, 2)
    found = measure(data, chosen, scores[chosen])
    labels, values = frauds[chosen], scores[chosen]
    assert found.roc_auc == roc_auc_score(labels, values)
    assert found.average_precision == average_precision_score(labels, values)
    low = amounts[chosen] <= 220
    assert found.ap_below_220 == average_precision_score(labels[low], values[low])
    two = np.isin(scenarios[chosen], (0, 2))
    assert found.scenario_2_ap == average_precision_score(labels[two], values[two])
    cut = np.sort(values[~labels])[-math.ceil(0.005 * (~labels).sum())]
    assert found.scenario_2_recall == pytest.approx((values[scenarios[chosen] == 2] > cut).mean(), abs=0.03)


def test_without_fraud_nothing_is_claimed():
    data = Columns(np.zeros(3, dtype=int), np.arange(3), np.ones(3), np.zeros(3, dtype=bool), np.zeros(3, dtype=int))
    found = measure(data, np.arange(3), np.array([0.1, 0.2, 0.3]))
    assert math.isnan(found.roc_auc) and math.isnan(found.average_precision) and math.isnan(found.scenario_2_recall)
    assert found.card_precision_100 == 0.0


def measured(value):
    return Measures(value, value, value, value, value, float("nan"))


def test_a_row_beyond_the_tolerance_is_missed():
    near = Row("near", FOUR_WEEKS, [measured(0.700), measured(0.704)], (0.7, 0.7, 0.704), reproducible=True)
    far = Row("far", FOUR_WEEKS, [measured(0.70)], (0.70, 0.7031, 0.70), reproducible=True)
    ours = Row("ours", FOUR_WEEKS, [measured(0.70)], (0.9, 0.9, 0.9))
    unknown = Row("unknown", FOUR_WEEKS, [measured(float("nan"))], (0.7, 0.7, 0.7), reproducible=True)
    assert [row.missed() for row in (near, far, ours, unknown)] == [False, True, False, True]
    assert near.spread()["roc_auc"] == pytest.approx(0.002)
    assert cells(far)[0] == "far !"
    assert cells(near)[1] == "0.702 ± 0.002 (0.700)"


def test_document_and_table():
    only = Row("published only", FOUR_WEEKS, (), (0.876, 0.675, 0.303))
    row = Row("ours", FOUR_WEEKS, [measured(0.5)] * 4)
    document = as_document([only, row], {"seed": 1})
    assert document["rows"][0]["mean"] == {} and document["rows"][0]["off"] is None
    assert document["rows"][1]["test_weeks"] == ["2018-08-29", "2018-08-22", "2018-08-15", "2018-08-08"]
    assert document["rows"][1]["mean"]["scenario_2_recall"] is None
    table = as_markdown("Title", [only, row]).splitlines()
    assert len(table) == 6
    assert len({line.count("|") for line in table[2:]}) == 1
