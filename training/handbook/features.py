"""Features of the Handbook's transactions: the catalogue's, from the code that serves, and the published fifteen."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
import polars as pl

from assay.features.profile import Profile
from assay.features.transaction import MONEY_SCALE, Transaction
from training.table import NUMERIC
from training.work import Progress

WINDOWS = (1, 7, 30)
PUBLISHED: tuple[str, ...] = (
    "amount",
    "is_weekend",
    "is_night",
    *(name for days in WINDOWS for name in (f"account_tx_count_{days}d", f"account_amount_mean_{days}d")),
    *(name for days in WINDOWS for name in (f"counterparty_tx_count_{days}d", f"counterparty_fraud_share_{days}d")),
)
"""The published features under the catalogue's names, in the published order, which some models depend on."""
NIGHT_ENDS = 7
"""Hour: the Handbook's night is hour <= 6."""
REPORT_EVERY = 20_000
UNKNOWN = float("nan")


def with_features(frame: pl.DataFrame, progress: Progress) -> pl.DataFrame:
    """The frame with every numeric feature of the catalogue that this data can fill, and `is_night`.

    `frame` is in time order. A label is told to the profile at once, for the fraud share looks back over the label
    delay: nothing younger than 7 days is ever seen.
    """
    profile = Profile()
    columns = {name: array("d") for name in NUMERIC}
    for count, (transaction, fraud) in enumerate(_transactions(frame)):
        features = profile.observe(transaction)
        if fraud:
            profile.confirm_fraud(transaction)
        for name, column in columns.items():
            value = features[name]
            column.append(UNKNOWN if value is None else value)  # type: ignore[arg-type]
        if count % REPORT_EVERY == 0:
            progress("features", count / len(frame))
    filled = {name: values for name, column in columns.items() if not np.isnan(values := np.array(column)).all()}
    return frame.with_columns(**{name: pl.Series(values) for name, values in filled.items()}).with_columns(
        is_night=(pl.col("hour_of_day") < NIGHT_ENDS).cast(pl.Float64)
    )


def catalogue(frame: pl.DataFrame) -> list[str]:
    """The features of the catalogue that vary over this data."""
    return [name for name in NUMERIC if name in frame.columns and frame[name].drop_nans().n_unique() > 1]


def _transactions(frame: pl.DataFrame) -> Iterator[tuple[Transaction, bool]]:
    times = frame["TX_DATETIME"].dt.epoch("us")
    names = ("TRANSACTION_ID", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD")
    for time, number, customer, terminal, amount, fraud in zip(times, *(frame[name] for name in names), strict=True):
        money = round(amount * MONEY_SCALE)
        yield (
            Transaction(
                str(number), time, str(customer), money, "EUR", "unknown", "unknown", counterparty=str(terminal)
            ),
            fraud == 1,
        )
