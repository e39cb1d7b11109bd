"""A simulated bank in files: transactions as Parquet or CSV, logins and labels beside them as CSV, in one pass.

The transactions' columns are the fields of `POST /score`, and what only the simulator knows: `label`, `story` and
`label_known_at` (empty: nobody ever reports it). The labels' are those of `assay feedback import`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, TextIO

import polars as pl
from polars.io.plugins import register_io_source

from training.settings import TrainingDataError
from training.simulator.events import MICROSECONDS, Event, SimulatedLogin, SimulatedTransaction, as_login, rfc_3339
from training.simulator.labels import SimulatedLabel, with_labels

MOMENT = pl.Datetime("us", "UTC")
RENAMED = {"time": "occurred_at", "label_time": "label_known_at"}
TYPES: dict[str, Any] = {
    **dict.fromkeys(("amount", "balance_before", "balance_after"), pl.Float64),
    **dict.fromkeys(("label", "customer_age"), pl.Int64),
    **dict.fromkeys(RENAMED.values(), MOMENT),
    "account_opened_at": pl.Date,
}
FIELDS = tuple(SimulatedTransaction.__slots__)
SCHEMA = pl.Schema({name: TYPES.get(name, pl.String) for name in (RENAMED.get(field, field) for field in FIELDS)})
_values = attrgetter(*FIELDS)
LOGINS = ("event_id", "account_id", "occurred_at", "outcome", "device_id", "ip_address")
LABELS = ("transaction_id", "label", "labelled_at")
BATCH = 20_000


@dataclass(slots=True)
class Written:
    """What was written; `fraud` of the transactions."""

    transactions: int = 0
    fraud: int = 0
    logins: int = 0
    labels: int = 0
    until: int = 0
    """Time of the last event, seconds since the epoch."""
    files: list[Path] = field(default_factory=list)


def beside(path: Path, what: str) -> Path:
    """`bank.parquet`, `logins` -> `bank.logins.csv`."""
    return path.with_name(f"{path.stem}.{what}.csv")


def write_files(path: Path, events: Iterator[Event], told: Callable[[Written], None] = lambda _: None) -> Written:
    """Writes all events; a file appears when it is whole. `told` hears of every batch.

    Labels that become known after the last event are not written: by then nobody had them.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise TrainingDataError(f"{path.name}: neither .csv nor .parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = Written(files=[path, beside(path, "logins"), beside(path, "labels")])
    parts = [file.with_name(f".{file.name}.part") for file in written.files]
    try:
        with parts[1].open("w", newline="") as logins, parts[2].open("w", newline="") as labels:
            _sink(_batches(events, written, logins, labels, told), parts[0], path.suffix)
        for part, file in zip(parts, written.files, strict=True):
            part.replace(file)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return written


def _sink(batches: Iterator[pl.DataFrame], path: Path, suffix: str) -> None:
    def source(*_: object) -> Iterator[pl.DataFrame]:
        return batches

    frame = register_io_source(source, schema=SCHEMA, validate_schema=False)
    if suffix == ".csv":
        frame.sink_csv(path, datetime_format="%Y-%m-%dT%H:%M:%SZ")
    else:
        frame.sink_parquet(path)


def _batches(
    events: Iterator[Event], written: Written, logins: TextIO, labels: TextIO, told: Callable[[Written], None]
) -> Iterator[pl.DataFrame]:
    """The transactions; logins and labels go to their own files on the way."""
    login_rows, label_rows = csv.writer(logins), csv.writer(labels)
    login_rows.writerow(LOGINS)
    label_rows.writerow(LABELS)
    rows: list[tuple[object, ...]] = []
    late: list[SimulatedLabel] = []
    for event in with_labels(events):
        if isinstance(event, SimulatedTransaction):
            rows.append(_values(event))
            written.fraud += event.label
        elif isinstance(event, SimulatedLogin):
            body = as_login(event)
            login_rows.writerow([body.get(name, "") for name in LOGINS])
            written.logins += 1
        else:
            late.append(event)
            continue
        written.until = event.time
        while late:
            label = late.pop(0)
            label_rows.writerow((label.transaction_id, "fraud_confirmed", rfc_3339(label.time)))
            written.labels += 1
        if len(rows) == BATCH:
            yield _frame(rows, written, told)
            rows = []
    if rows:
        yield _frame(rows, written, told)


def _frame(rows: list[tuple[object, ...]], written: Written, told: Callable[[Written], None]) -> pl.DataFrame:
    written.transactions += len(rows)
    told(written)
    columns = zip(SCHEMA.items(), zip(*rows, strict=True), strict=True)
    return pl.DataFrame([_column(name, kind, values) for (name, kind), values in columns])


def _column(name: str, kind: pl.DataType, values: Sequence[Any]) -> pl.Series:
    if kind == MOMENT:
        return (pl.Series(name, values, pl.Int64) * MICROSECONDS).cast(MOMENT)
    return pl.Series(name, values, kind, strict=name != "label")  # 0 and 1 in place of false and true
