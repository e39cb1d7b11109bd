"""History in files, as `assay simulate --out` writes it or a mapping describes it -> the table that training reads.

Features are computed here, by the code that serves. Logins are in the file's neighbour `NAME.logins.csv`, if any.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from pathlib import Path

import polars as pl

from assay.features.rates import Rates
from assay.features.transaction import Login
from training.datasets import BadRow, ColumnMapping, LabelledTransaction, read_transactions
from training.rows import MICROSECONDS
from training.settings import TrainingDataError
from training.split import DAY
from training.table import REPORT_EVERY, FeatureTable, Progress, TableBuilder

LOGINS = ("event_id", "account_id", "occurred_at", "outcome")
SHOWN = 3


def table_of_file(
    path: Path, mapping: ColumnMapping, rates: Rates, label_delay_days: float, progress: Progress
) -> FeatureTable:
    """Replays the file. A label arrives when its `label_known_at` says, never when that is empty; in a file without
    that column, `label_delay_days` after its transaction.

    Raises TrainingDataError: no label column, or rows that cannot be used (going back in time is one way).
    DatasetError: a missing column, an unreadable file.
    """
    if mapping.label is None:
        raise TrainingDataError(f"{path.name}: no column of labels")
    builder, bad = TableBuilder(), []
    delay = None if mapping.label_known_at else DAY * label_delay_days
    for event in merge(read_transactions(path, mapping, rates), _logins(path), key=_time):
        if isinstance(event, Login):
            builder.login(event)
        elif isinstance(event, BadRow):
            bad.append(event)
        elif builder.transaction(event.transaction, bool(event.label), _known(event, delay)) % REPORT_EVERY == 0:
            progress("features", 0.0)
    if bad:
        told = "; ".join(f"line {row.line}: {row.reason}" for row in bad[:SHOWN])
        raise TrainingDataError(f"{path.name}: {len(bad)} rows cannot be used ({told})")
    return builder.table()


def logins_file(path: Path) -> Path:
    """Where the logins that belong to a file of transactions are."""
    return path.with_name(f"{path.stem}.logins.csv")


def _known(event: LabelledTransaction, delay: float | None) -> float | None:
    if not event.label:
        return None
    if delay is not None:
        return event.transaction.time / MICROSECONDS + delay
    return None if event.label_time is None else event.label_time / MICROSECONDS


def _time(event: LabelledTransaction | BadRow | Login) -> int:
    """A bad row has no time: it is passed on at once."""
    if isinstance(event, Login):
        return event.time
    return event.transaction.time if isinstance(event, LabelledTransaction) else 0


def _logins(path: Path) -> Iterator[Login]:
    file = logins_file(path)
    if not file.is_file():
        return
    try:
        frame = pl.read_csv(file, infer_schema=False)
        moments = frame["occurred_at"].str.to_datetime(time_unit="us", time_zone="UTC")
        columns = frame.select(*LOGINS).with_columns(moments.dt.epoch("us").alias("occurred_at")).sort("occurred_at")
    except pl.exceptions.PolarsError as error:
        raise TrainingDataError(f"{file.name}: {error}") from None
    for identifier, account, time, outcome in columns.iter_rows():
        yield Login(identifier, time, account, outcome == "success")
