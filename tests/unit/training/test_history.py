from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assay.features.catalog import BY_NAME, NAMES
from training.history import history_table
from training.settings import Settings, TrainingDataError
from training.train import prepare, train_on

START = datetime(2026, 1, 1, tzinfo=UTC)


def history(rows=400, days=60):
    times = [START + timedelta(days=days * index / rows) for index in range(rows)]
    columns = {
        name: ["web"] * rows if BY_NAME[name].kind == "category" else [float(index % 7) for index in range(rows)]
        for name in NAMES
    }
    return pl.DataFrame({"transaction_id": [f"t{index}" for index in range(rows)], "occurred_at": times, **columns})


def labels(**frauds):
    """Transaction -> (label, day it is known)."""
    return pl.DataFrame(
        {
            "transaction_id": list(frauds),
            "label": [label for label, _ in frauds.values()],
            "known_at": [START + timedelta(days=day) for _, day in frauds.values()],
        },
        schema={"transaction_id": pl.String, "label": pl.String, "known_at": pl.Datetime("us", "UTC")},
    )


def test_the_newest_label_counts_and_what_has_none_is_not_fraud():
    found = pl.concat(
        [labels(t3=("fraud_confirmed", 10), t5=("fraud_confirmed", 12)), labels(t3=("false_positive", 20))]
    )
    table = history_table(history(), found)
    assert np.flatnonzero(table.labels).tolist() == [5]
    assert table.label_times[5] == (START + timedelta(days=12)).timestamp()
    assert np.isnan(table.label_times).sum() == 399


def test_rows_are_put_in_time_order_and_unknown_stays_unknown():
    frame = history().with_columns(
        pl.when(pl.col("transaction_id") == "t7").then(None).otherwise(pl.col("amount")).alias("amount")
    )
    table = history_table(frame.reverse(), labels())
    assert (np.diff(table.times) > 0).all()
    assert np.flatnonzero(np.isnan(table.numeric["amount"])).tolist() == [7]


def test_the_client_belongs_to_the_key_when_both_sides_name_it():
    frame = pl.concat([history(200).with_columns(pl.lit(client).alias("client_id")) for client in ("a", "b")])
    found = labels(t3=("fraud_confirmed", 30)).with_columns(pl.lit("b").alias("client_id"))
    assert history_table(frame, found).labels.sum() == 1


@pytest.mark.parametrize(
    ("frame", "found", "reason"),
    [
        (history().drop("amount", "channel"), labels(), "no column amount, channel"),
        (history(), labels().drop("known_at"), "labels: no column known_at"),
        (pl.concat([history(5), history(5)]), labels(), "twice"),
        (history().with_columns(pl.lit("x").alias("amount")), labels(), "amount holds what is no number"),
        (history().with_columns(pl.lit(5).alias("occurred_at")), labels(), "date and time"),
        (history(), labels(t399=("fraud_confirmed", 2)), "older than its transaction"),
    ],
)
def test_history_that_cannot_be_used_says_why(frame, found, reason):
    with pytest.raises(TrainingDataError, match=reason):
        history_table(frame, found)


@pytest.mark.parametrize(
    ("rows", "days", "kind", "reason"),
    [
        (400, 60, "none", "no known fraud in the period to train"),
        (400, 60, "all", "nothing but fraud in the period to train"),
        (400, 60, "late", "no known fraud in the period to train"),
        (400, 30, "none", "16 days to learn from; at least 20"),
        (0, 60, "none", "no transactions"),
    ],
)
def test_nothing_to_learn_is_told_before_anything_is_fitted(tmp_path, rows, days, kind, reason):
    known = {"none": (), "all": range(rows), "late": range(100, 120)}[kind]
    day = {"all": 61, "late": 59}.get(kind, 0)
    found = labels(
        **{f"t{index}": ("fraud_confirmed", day if kind == "late" else days * index / rows + 0.001) for index in known}
    )
    with pytest.raises(TrainingDataError, match=reason):
        train_on(history(max(rows, 1), days)[:rows], found, Settings("1"), tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_goes_back_in_time_is_refused():
    table = history_table(history(), labels())
    table.times[5] = table.times[0]
    with pytest.raises(TrainingDataError, match="back in time"):
        prepare(table, table.times[0], table.times[-1])
