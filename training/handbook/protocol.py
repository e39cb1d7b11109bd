"""The Handbook's split: train on 7 days, wait 7 for labels, test on 7 without customers known to be compromised."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FIRST_DAY = date(2018, 4, 1)
TRAIN, DELAY, TEST = 7, 7, 7
"""Days. The delay is the label's: what a day's test may know ends DELAY days before it."""


def day_number(day: str) -> int:
    """TX_TIME_DAYS of a date (YYYY-MM-DD)."""
    return (date.fromisoformat(day) - FIRST_DAY).days


def date_of(day: int) -> str:
    """The date of a TX_TIME_DAYS."""
    return str(FIRST_DAY + timedelta(days=day))


@dataclass(frozen=True, slots=True)
class Columns:
    """The data as columns, one entry per transaction. `scenario` is a label too: never a feature."""

    days: Ints
    customers: Ints
    amounts: NDArray[np.float64]
    frauds: Bools
    scenarios: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Columns:
        """Out of the Handbook's own names."""
        return cls(
            frame["TX_TIME_DAYS"].to_numpy().astype(np.int64),
            frame["CUSTOMER_ID"].to_numpy().astype(np.int64),
            frame["TX_AMOUNT"].to_numpy(),
            frame["TX_FRAUD"].to_numpy() == 1,
            frame["TX_FRAUD_SCENARIO"].to_numpy().astype(np.int64),
        )


@dataclass(frozen=True, slots=True)
class Fold:
    """`start` is the first day (TX_TIME_DAYS) of the published training week."""

    start: int

    @property
    def cut(self) -> int:
        """The first day whose labels are unknown when the test week begins."""
        return self.start + TRAIN

    @property
    def test_day(self) -> int:
        """The first day of the test week."""
        return self.cut + DELAY

    def train(self, columns: Columns, since: int | None = None) -> Ints:
        """Rows of the training week, or of all days from `since` to its end."""
        return np.flatnonzero((columns.days >= (self.start if since is None else since)) & (columns.days < self.cut))

    def test(self, columns: Columns) -> Ints:
        """Rows of the test week without the customers known to be compromised.

        Known on a test day are the frauds from the first training day to the day before DELAY days ago.
        """
        kept = []
        for day in range(self.test_day, self.test_day + TEST):
            known = columns.frauds & (columns.days >= self.start) & (columns.days < day - DELAY)
            compromised = np.unique(columns.customers[known])
            rows = np.flatnonzero(columns.days == day)
            kept.append(rows[~np.isin(columns.customers[rows], compromised)])
        return np.concatenate(kept)


def prequential(start: str, folds: int = 4) -> list[Fold]:
    """`folds` folds a test week apart, going back from the one whose training starts on `start`."""
    return [Fold(day_number(start) - TEST * fold) for fold in range(folds)]
