"""Labelled history as a data frame -> the table that training reads. The features are as they were when scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.features.catalog import NAMES
from training.settings import TrainingDataError
from training.table import CATEGORIES, NUMERIC, FeatureTable

FRAUD = ("fraud_confirmed", "true", "1")
KEYS = ("client_id", "transaction_id")


def history_table(history: pl.DataFrame, labels: pl.DataFrame) -> FeatureTable:
    """Joins what was scored with what was learnt of it, in time order.

    `history`: one row per transaction: transaction_id (and client_id), occurred_at (datetime, naive ones UTC) and
    every feature of the catalogue; null or NaN is unknown. `labels`: transaction_id (and client_id), label
    (`fraud_confirmed`, `false_positive`, `legitimate`, `inconclusive`, or a boolean), known_at (datetime). The newest
    label of a transaction counts; what has none counts as not fraud.
    Raises TrainingDataError: a column is missing, a transaction is there twice, a label is older than its transaction.
    """
    keys = [key for key in KEYS if key in history.columns and key in labels.columns]
    _require_columns("history", history, ("transaction_id", "occurred_at", *NAMES))
    _require_columns("labels", labels, ("transaction_id", "label", "known_at"))
    if history.select(keys).is_duplicated().any():
        raise TrainingDataError("history: a transaction is there twice")
    newest = labels.sort("known_at", maintain_order=True).unique(keys, keep="last")
    judged = newest.select(*keys, pl.col("label").cast(pl.String).is_in(FRAUD).alias("_fraud"), "known_at")
    rows = history.sort("occurred_at", maintain_order=True).join(judged, on=keys, how="left", maintain_order="left")
    times, known = _seconds(rows["occurred_at"]), _seconds(rows["known_at"])
    if np.isnan(times).any():
        raise TrainingDataError("history: occurred_at is missing in a row")
    if (known < times).any():
        raise TrainingDataError("labels: a label is older than its transaction")
    fraud = rows["_fraud"].fill_null(value=False).to_numpy().astype(np.bool_)
    return FeatureTable(
        {name: _numbers(rows[name]) for name in NUMERIC},
        {name: rows[name].cast(pl.String).to_list() for name in CATEGORIES},
        times,
        fraud,
        np.where(fraud, known, np.nan),
        rows["story"].to_list() if "story" in rows.columns else [None] * len(rows),
    )


def _require_columns(what: str, frame: pl.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise TrainingDataError(f"{what}: no column {', '.join(missing)}")


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    try:
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    except pl.exceptions.InvalidOperationError as error:
        raise TrainingDataError(f"history: {column.name} holds what is no number") from error


def _seconds(column: pl.Series) -> NDArray[np.float64]:
    if not isinstance(column.dtype, pl.Datetime):
        raise TrainingDataError(f"{column.name} is not a column of date and time")
    return column.dt.epoch("us").cast(pl.Float64).fill_null(float("nan")).to_numpy() / 1e6
