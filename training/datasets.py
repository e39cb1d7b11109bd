"""Reads transactions from CSV or Parquet files, by a mapping of column names, without holding the file in memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from assay.features.rates import Rates
from training.rows import LATEST, BadRow, ColumnMapping, DatasetError, LabelledTransaction, RowParser

__all__ = ["HANDBOOK", "BadRow", "ColumnMapping", "DatasetError", "LabelledTransaction", "read_transactions"]


UNKNOWN = {"currency": "EUR", "channel": "unknown", "auth_method": "unknown"}
HANDBOOK = ColumnMapping(
    account="CUSTOMER_ID",
    time="TX_DATETIME",
    amount="TX_AMOUNT",
    transaction_id="TRANSACTION_ID",
    counterparty="TERMINAL_ID",
    label="TX_FRAUD",
    constants=UNKNOWN,
)
"""The Fraud Detection Handbook's simulated transactions: no device, address, country or channel."""


def read_transactions(
    path: Path,
    mapping: ColumnMapping,
    rates: Rates,
    *,
    sort: bool = False,
    batch: int = 50_000,
) -> Iterator[LabelledTransaction | BadRow]:
    """The file's transactions in time order, `batch` rows in memory at a time.

    An amount in a currency without a rate is unknown, not bad.
    The file must be in time order: a row that goes back in time is a bad row. `sort=True` reads it whole and sorts.
    Raises DatasetError when the file cannot be opened, is neither .csv nor .parquet, or lacks a mapped column; also
    when a constant of the mapping cannot be used.
    """
    parse = RowParser(mapping, rates)
    parsed = (parse.row(line, values) for line, values in _rows(path, list(mapping.columns().values()), batch))
    return _sorted(parsed) if sort else _checked(parsed)


def _sorted(rows: Iterator[LabelledTransaction | BadRow]) -> Iterator[LabelledTransaction | BadRow]:
    good: list[LabelledTransaction] = []
    for row in rows:
        if isinstance(row, BadRow):
            yield row
        else:
            good.append(row)
    good.sort(key=lambda row: row.transaction.time)
    yield from good


def _checked(rows: Iterator[LabelledTransaction | BadRow]) -> Iterator[LabelledTransaction | BadRow]:
    newest = -LATEST
    for row in rows:
        if isinstance(row, LabelledTransaction):
            if row.transaction.time < newest:
                yield BadRow(row.line, "time: earlier than the row before; sort the file, or read it with sorting")
                continue
            newest = row.transaction.time
        yield row


def _rows(path: Path, columns: list[str], batch: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _csv_rows(path, columns)
    if suffix in (".parquet", ".pq"):
        return _parquet_rows(path, columns, batch)
    raise DatasetError(f"{path.name}: neither .csv nor .parquet")


def _csv_rows(path: Path, columns: list[str]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            places = [_place(header, column, path) for column in columns]
            width = max(places) + 1
            for cells in reader:
                if cells:
                    filled = cells + [""] * (width - len(cells))
                    yield reader.line_num, tuple(filled[place] or None for place in places)
    except (OSError, csv.Error) as problem:
        raise DatasetError(f"{path.name}: {problem}") from None


def _parquet_rows(path: Path, columns: list[str], batch: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    try:
        frame = pl.scan_parquet(path, glob=False)
        header = frame.collect_schema().names()
        for column in columns:
            _place(header, column, path)
        line = 0
        for part in frame.select(columns).collect_batches(chunk_size=batch, maintain_order=True):
            for values in part.iter_rows():
                line += 1
                yield line, values
    except (OSError, pl.exceptions.PolarsError) as problem:
        raise DatasetError(f"{path.name}: {problem}") from None


def _place(header: list[str], column: str, path: Path) -> int:
    if column not in header:
        raise DatasetError(f"{path.name}: no column {column!r}; it has {', '.join(header) or 'none'}")
    return header.index(column)
