"""The Handbook's split: nothing of the test week, and no label that had not arrived, is ever used."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.handbook import own
from training.handbook.protocol import DELAY, TEST, TRAIN, Columns, Fold, date_of, day_number, prequential
from training.handbook.published import EARLIER_WEEK, FOUR_WEEKS, ROWS, WEEK

transactions = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6), st.booleans()), min_size=1, max_size=120)


def columns(rows):
    days, customers, frauds = (np.array(column) for column in zip(*sorted(rows), strict=True))
    return Columns(days, customers, np.ones(len(days)), frauds, frauds.astype(int))


@given(rows=transactions, start=st.integers(0, 10))
def test_test_rows_are_those_of_customers_not_known_by_then(rows, start):
    data, fold = columns(rows), Fold(start)
    expected = []
    for index, (day, customer) in enumerate(zip(data.days, data.customers, strict=True)):
        known = any(
            fraud and who == customer and start <= when < day - DELAY
            for when, who, fraud in zip(data.days, data.customers, data.frauds, strict=True)
        )
        if fold.test_day <= day < fold.test_day + TEST and not known:
            expected.append(index)
    assert fold.test(data).tolist() == expected


@given(rows=transactions, start=st.integers(0, 10))
def test_training_ends_a_delay_before_the_test(rows, start):
    data, fold = columns(rows), Fold(start)
    train, test = fold.train(data), fold.test(data)
    assert set(data.days[train]) <= set(range(start, start + TRAIN))
    if len(train) and len(test):
        assert data.days[train].max() < data.days[test].min() - DELAY
    everything = fold.train(data, since=0)
    assert set(data.days[everything]) <= set(range(start + TRAIN))
    assert set(train) <= set(everything)


@given(rows=transactions, start=st.integers(0, 10), day=st.integers(0, TEST - 1))
def test_a_label_that_has_not_arrived_moves_nothing(rows, start, day):
    data, fold = columns(rows), Fold(start)
    today = fold.test_day + day
    unseen = data.days >= today - DELAY
    other = Columns(data.days, data.customers, data.amounts, data.frauds ^ unseen, data.scenarios)
    before, after = ([row for row in fold.test(each) if each.days[row] <= today] for each in (data, other))
    assert before == after
    assert np.array_equal(data.frauds[fold.train(data)], other.frauds[fold.train(other)])


def test_our_training_rows_keep_every_fraud_and_end_with_the_published_week():
    random = np.random.default_rng(3)
    days = np.sort(random.integers(0, 140, 20_000))
    frauds = random.random(len(days)) < 0.01
    data = Columns(days, random.integers(0, 50, len(days)), np.ones(len(days)), frauds, frauds.astype(int))
    fold = FOUR_WEEKS[0]
    rows = own.training_rows(data, fold, seed=1)
    assert data.days[rows].min() >= own.SINCE
    assert data.days[rows].max() < fold.cut
    window = (days >= own.SINCE) & (days < fold.cut)
    assert data.frauds[rows].sum() == frauds[window].sum()
    legitimate = (window & ~frauds).sum()
    assert 0.08 * legitimate < (~data.frauds[rows]).sum() < 0.12 * legitimate


def test_validation_is_over_and_labelled_before_the_first_test_week():
    first_test = min(fold.test_day for fold in (*FOUR_WEEKS, *WEEK))
    assert all(fold.test_day + TEST <= first_test - DELAY for fold in own.VALIDATION)
    assert [date_of(fold.test_day) for fold in own.VALIDATION] == [
        "2018-07-25",
        "2018-07-18",
        "2018-07-11",
        "2018-07-04",
    ]


def test_published_weeks():
    assert (date_of(WEEK[0].start), date_of(WEEK[0].test_day)) == ("2018-07-25", "2018-08-08")
    assert (date_of(EARLIER_WEEK[0].start), date_of(EARLIER_WEEK[0].test_day)) == ("2018-07-11", "2018-07-25")
    assert [fold.start for fold in FOUR_WEEKS] == [day_number("2018-08-15") - 7 * back for back in range(4)]
    assert prequential("2018-08-15", 1) == [FOUR_WEEKS[0]]
    assert sum(row.reproducible for row in ROWS) == 7
