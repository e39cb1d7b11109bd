"""Features of the past: against the brute-force definition, and never from what is not known yet."""

from __future__ import annotations

import statistics
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.handbook.features import PUBLISHED, catalogue, with_features
from training.handbook.history import BIG, NAMES, with_history

START = datetime(2018, 4, 1)
DELAY = timedelta(days=7)

transactions = st.lists(
    st.tuples(
        st.integers(0, 40 * 24),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from([1.0, 10.0, 12.5, 80.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


def frame(rows):
    hours, customers, terminals, amounts, frauds = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    times = pl.Series([START + timedelta(hours=hour) for hour in hours], dtype=pl.Datetime("ms"))
    return pl.DataFrame(
        {
            "TRANSACTION_ID": range(len(hours)),
            "TX_DATETIME": times,
            "CUSTOMER_ID": customers,
            "TERMINAL_ID": terminals,
            "TX_AMOUNT": amounts,
            "TX_FRAUD": [int(fraud) for fraud in frauds],
        }
    )


def known(rows, key, row):
    """The key's transactions whose labels have arrived, oldest first."""
    return [each for each in rows if each[key] == row[key] and each["TX_DATETIME"] <= row["TX_DATETIME"] - DELAY]


def run(past):
    """(first, last, length) of the last run of consecutive frauds, and the legitimate rows after it."""
    frauds = [index for index, each in enumerate(past) if each["TX_FRAUD"]]
    if not frauds:
        return None
    first = last = frauds[-1]
    while first and past[first - 1]["TX_FRAUD"]:
        first -= 1
    return past[first], past[last], last - first + 1, len(past) - 1 - last


def in_days(row, other):
    return (row["TX_DATETIME"] - other["TX_DATETIME"]).total_seconds() / 86400


def by_hand(rows, row):
    ratio = {}
    earlier = [each for each in rows if each["CUSTOMER_ID"] == row["CUSTOMER_ID"]]
    for each in earlier:
        past = [
            one["TX_AMOUNT"]
            for one in earlier
            if each["TX_DATETIME"] - timedelta(days=60) < one["TX_DATETIME"] < each["TX_DATETIME"]
        ]
        ratio[each["TRANSACTION_ID"]] = each["TX_AMOUNT"] / statistics.median(past) if past else None
    month = [
        one["TX_AMOUNT"]
        for one in earlier
        if row["TX_DATETIME"] - timedelta(days=30) < one["TX_DATETIME"] < row["TX_DATETIME"]
    ]
    spread = max(statistics.stdev(month), 1.0) if len(month) >= 3 else None
    recent = [
        one
        for one in earlier
        if row["TX_DATETIME"] - timedelta(days=14) < one["TX_DATETIME"] < row["TX_DATETIME"]
        and (ratio[one["TRANSACTION_ID"]] or 0) > BIG
    ]
    terminal, customer = run(known(rows, "TERMINAL_ID", row)), run(known(rows, "CUSTOMER_ID", row))
    return {
        "terminal_days_since_fraud": terminal and in_days(row, terminal[1]),
        "terminal_days_since_run_start": terminal and in_days(row, terminal[0]),
        "terminal_run_length": terminal and terminal[2],
        "terminal_legitimate_since": terminal and terminal[3],
        "customer_days_since_fraud": customer and in_days(row, customer[1]),
        "amount_to_median_60d": ratio[row["TRANSACTION_ID"]],
        "amount_z_score_30d": None if spread is None else (row["TX_AMOUNT"] - statistics.mean(month)) / spread,
        "customer_big_amounts_14d": len(recent),
    }


@given(rows=transactions)
@settings(max_examples=60)
def test_as_by_hand(rows):
    table = frame(rows)
    dicts = table.to_dicts()
    result = with_history(table)
    assert result["TRANSACTION_ID"].to_list() == table["TRANSACTION_ID"].to_list()
    assert result.columns == [*table.columns, *NAMES] or set(result.columns) == {*table.columns, *NAMES}
    for row, found in zip(dicts, result.select(NAMES).to_dicts(), strict=True):
        assert found == pytest.approx(by_hand(dicts, row), abs=1e-6)


@given(rows=transactions, at=st.integers(0, 39))
@settings(max_examples=60)
def test_a_label_that_has_not_arrived_changes_no_feature(rows, at):
    table = frame(rows)
    now = table["TX_DATETIME"][min(at, len(table) - 1)]
    unseen = pl.col("TX_DATETIME") > now - DELAY
    other = table.with_columns(TX_FRAUD=pl.when(unseen).then(1 - pl.col("TX_FRAUD")).otherwise(pl.col("TX_FRAUD")))
    for build in (with_history, lambda given: with_features(given, lambda *_: None)):
        before, after = (build(each).filter(pl.col("TX_DATETIME") <= now).drop("TX_FRAUD") for each in (table, other))
        assert before.equals(after)


@given(rows=transactions, at=st.integers(0, 39))
@settings(max_examples=60)
def test_what_comes_later_changes_no_feature(rows, at):
    table = frame(rows)
    now = table["TX_DATETIME"][min(at, len(table) - 1)]
    until = table.filter(pl.col("TX_DATETIME") <= now)
    assert with_history(until).equals(with_history(table).head(len(until)))


def test_the_published_fifteen_are_there_and_the_night_ends_at_seven():
    rows = [(hour, 0, 0, 10.0 + hour, False) for hour in range(0, 24 * 40, 5)]
    table = with_features(frame(rows), lambda *_: None)
    assert set(PUBLISHED) <= set(table.columns)
    assert len(PUBLISHED) == 15
    assert table["is_night"].to_list() == [float(row[0] % 24 <= 6) for row in rows]
    assert "amount" in catalogue(table) and "account_age_days" not in catalogue(table)
