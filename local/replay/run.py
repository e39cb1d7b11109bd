"""`assay replay`: a file of transactions through the whole pipeline, offline.

Two processes share the work: this one reads the file and computes the features, in time order, with the code that
serves; the other scores and decides, batch by batch.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from assay.errors import StorageError
from assay.features.direct import Row
from assay.features.profile import Profile
from assay.features.rates import Rates
from assay.features.transaction import MONEY_SCALE
from local.champion import open_champion
from local.places import Places
from local.replay.mapping import resolve
from local.replay.scorer_process import open_scorer, score
from training.datasets import BadRow, ColumnMapping, LabelledTransaction, read_transactions

BATCH = 8_192
AHEAD = 4
"""Batches that may wait for the scoring process: enough to keep it busy, few enough to stay small."""
SHOWN_BAD_ROWS = 10


@dataclass(slots=True)
class Batch:
    """Transactions whose features are known, as columns."""

    ids: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    accounts: list[str | None] = field(default_factory=list)
    amounts: list[float | None] = field(default_factory=list)
    labels: list[bool | None] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """What reading the file brought besides transactions."""

    bad: list[BadRow] = field(default_factory=list)
    transactions: int = 0


def run(file: Path, mapping: str, out: Path, limit: int | None, places: Places, as_json: bool) -> int:
    """Writes the verdicts to `out`, prints a summary; returns 0, or 1 when rows were bad. Raises `AssayError`."""
    if not out.parent.is_dir():
        raise StorageError(f"{out.parent}: no such folder")  # now, and not when all is scored
    started = time.perf_counter()
    reading = Reading()
    verdicts = replay(file, resolve(mapping, file), reading, limit, places, show=not as_json)
    seconds = time.perf_counter() - started
    _write(verdicts, out)
    summary = summarise(verdicts, reading, seconds)
    if as_json:
        print(json.dumps(summary))
    else:
        _show(summary, reading, out, Console())
    return 1 if reading.bad else 0


def replay(
    file: Path, mapping: ColumnMapping, reading: Reading, limit: int | None, places: Places, show: bool
) -> pl.DataFrame:
    """A verdict per transaction of the file, in its order, with what identifies it and its label."""
    release = open_champion(places)
    rates = Rates.load(release.read("rates.yaml"))
    parts: list[pl.DataFrame] = []
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        bar = progress.add_task("", total=limit or _rows_of(file))
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's idle threads would spin on this process's core
        with get_context("spawn").Pool(1, open_scorer, (places,)) as scorer:
            waiting: list[tuple[Batch, Any]] = []
            for batch in _batches(read_transactions(file, mapping, rates), reading, limit):
                waiting.append((batch, scorer.apply_async(score, (batch.rows,))))
                if len(waiting) > AHEAD:
                    parts.append(_collect(*waiting.pop(0)))
                progress.update(bar, completed=reading.transactions)
            parts.extend(_collect(*item) for item in waiting)
    return pl.concat(parts) if parts else pl.DataFrame()


def _batches(source: Iterator[LabelledTransaction | BadRow], reading: Reading, limit: int | None) -> Iterator[Batch]:
    """Features in time order. A label counts for its counterparty from the end of the label delay on."""
    profile, batch = Profile(), Batch()
    for item in source:
        if isinstance(item, BadRow):
            reading.bad.append(item)
            continue
        transaction = item.transaction
        batch.rows.append(profile.row(transaction))
        if item.label:
            # The fraud share looks back over the label delay, so a label is never seen before it is due.
            profile.confirm_fraud(transaction)
        batch.ids.append(transaction.transaction_id)
        batch.times.append(transaction.time)
        batch.accounts.append(transaction.account)
        batch.amounts.append(None if transaction.amount is None else transaction.amount / MONEY_SCALE)
        batch.labels.append(item.label)
        reading.transactions += 1
        if len(batch.rows) == BATCH:
            yield batch
            batch = Batch()
        if reading.transactions == limit:
            break
    if batch.rows:
        yield batch


def _collect(batch: Batch, answer: Any) -> pl.DataFrame:  # noqa: ANN401 - multiprocessing's AsyncResult
    scored: pl.DataFrame = answer.get()
    known = pl.DataFrame(
        {
            "transaction_id": batch.ids,
            "occurred_at": pl.Series(batch.times, dtype=pl.Datetime("us", "UTC")),
            "account_id": batch.accounts,
            "amount_base": pl.Series(batch.amounts, dtype=pl.Float64),
            "label": pl.Series(batch.labels, dtype=pl.Boolean),
        }
    )
    return pl.concat([known, scored], how="horizontal")


def summarise(verdicts: pl.DataFrame, reading: Reading, seconds: float) -> dict[str, Any]:
    """Counts and speed; with labels of both kinds, also how well the fraud score ranks and what the verdicts caught.

    A blocked transaction has no score: it ranks above all others.
    """
    summary: dict[str, Any] = {
        "transactions": reading.transactions,
        "bad_rows": len(reading.bad),
        "seconds": round(seconds, 2),
        "transactions_per_second": round(reading.transactions / seconds),
    }
    if verdicts.is_empty():
        return summary
    summary["decisions"] = dict(Counter(verdicts["decision"].to_list()))
    labelled = verdicts.filter(pl.col("label").is_not_null())
    labels = labelled["label"].to_numpy()
    if len(labels) and 0 < labels.sum() < len(labels):
        from training.metrics import ranking  # scikit-learn: seconds to import, and only needed here

        summary["frauds"] = int(labels.sum())
        summary["fraud_score"] = ranking(labels, labelled["fraud_score"].fill_null(1.0).to_numpy())
        for truth, of_truth in (("fraud", labelled.filter("label")), ("legitimate", labelled.filter(~pl.col("label")))):
            counts = Counter(of_truth["decision"].to_list())
            summary[f"{truth}_shares"] = {name: counts[name] / len(of_truth) for name in sorted(counts)}
    return summary


def _rows_of(file: Path) -> int | None:
    """For the progress bar; a CSV's length is not known before it is read."""
    return pl.scan_parquet(file).select(pl.len()).collect().item() if file.suffix == ".parquet" else None


def _write(verdicts: pl.DataFrame, out: Path) -> None:
    if out.suffix == ".csv":
        verdicts.write_csv(out)
    else:
        verdicts.write_parquet(out)


def _show(summary: dict[str, Any], reading: Reading, out: Path, console: Console) -> None:
    table = Table("what", "value", title=f"Verdicts in {out}")
    for name, value in summary.items():
        if isinstance(value, dict):
            for inner, number in value.items():
                table.add_row(f"{name}: {inner}", f"{number:,}" if isinstance(number, int) else f"{number:.4f}")
        else:
            table.add_row(name, f"{value:,}")
    console.print(table)
    for row in reading.bad[:SHOWN_BAD_ROWS]:
        console.print(f"[yellow]line {row.line}: {row.reason}[/yellow]")
    if len(reading.bad) > SHOWN_BAD_ROWS:
        console.print(f"[yellow]... and {len(reading.bad) - SHOWN_BAD_ROWS} more bad rows[/yellow]")
