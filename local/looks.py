"""Looks for drift and patterns by command: at any moment, or as the server does, kept and announced."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from assay.adapters.sqlite.intelligence import SqliteReportStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.errors import AssayError
from assay.intelligence.drift_report import DriftReport
from assay.intelligence.labels_table import SCHEMA
from assay.intelligence.patterns_report import PatternReport
from assay.labels.records import Label
from assay.release import Release
from functions.intelligence.drift_cells import step_end
from functions.intelligence.drift_check import DriftCheck, policy_of
from functions.intelligence.looking import Looker, read
from functions.intelligence.patterns import PatternsCheck
from local.history import Source, history_of, newest
from local.labels import labels_table
from local.ledger import with_ledger

if TYPE_CHECKING:
    from local.places import Places

FILE = pl.Schema({name: SCHEMA[name] for name in ("client_id", "transaction_id", "label", "labelled_at")})
"""Columns of a file of labels."""


class LabelFileError(AssayError):
    """A file of labels that cannot be used."""


def drift(
    source: Source, release: Release, until: datetime | None = None, labels: pl.DataFrame | None = None
) -> DriftReport | None:
    """The report for the last step before `until` (the newest event, when not given); None when nothing was scored.

    `labels`: as of `labels_of`. Raises `StorageError`, `ReleaseError`, `PolicyError`.
    """
    end = until or newest(source)
    if end is None:
        return None
    at = step_end(end, policy_of(release))
    check = DriftCheck(release, at, labels)
    asyncio.run(read(history_of(source), at, [check]))
    return check.report()


def patterns(source: Source, until: datetime | None = None, labels: pl.DataFrame | None = None) -> PatternReport | None:
    """The report for the window before `until` (up to the newest event, when not given); None without any event.

    `labels`: as of `labels_of`. Raises `StorageError`.
    """
    end = until or newest(source)
    if end is None:
        return None
    at = end if until is not None else end + timedelta(microseconds=1)
    check = PatternsCheck(at, labels)
    asyncio.run(read(history_of(source), at, [check]))
    return check.report()


def record(places: Places, release: Release, kind: str) -> bytes | None:
    """Looks as the server does, beside it or without one: once a step, by the time of the newest event.

    The newest report of the kind: a new one, which is kept, and announced if that is called for, or the one before;
    None when nothing was scored. Raises `StorageError`, `ReleaseError`, `PolicyError`.
    """
    now = newest(places)

    async def work(ledger: SqliteLedger) -> bytes | None:
        reports = SqliteReportStore(ledger)
        if now is not None:
            await Looker(history_of(places), reports, labels, release).look(now, [kind])
        kept = await reports.newest(kind)
        return None if kept is None else kept.body

    async def labels(_at: datetime) -> pl.DataFrame | None:
        return labels_of(places)

    return with_ledger(places.database, work)


def labels_of(source: Source, file: Path | None = None) -> pl.DataFrame | None:
    """Client_id, transaction_id, label, labelled_at: of the file, or else of the installation. An archive has none.

    Raises `StorageError`, `LabelFileError`.
    """
    if file is not None:
        return labels_of_file(file)
    if isinstance(source, str):
        return None
    labels = labels_table(source.database)
    return None if labels.is_empty() else labels


def labels_of_file(file: Path) -> pl.DataFrame:
    """Client_id, transaction_id, label, labelled_at of a Parquet file, or else of one in CSV. Raises `LabelFileError`.

    Moments have a zone (`2026-11-21T12:00:00Z`); those of Parquet that have none are UTC.
    """
    try:
        if file.suffix == ".parquet":
            table = pl.read_parquet(file, columns=FILE.names())
        else:
            table = pl.read_csv(file, columns=FILE.names(), infer_schema=False)
        labels = table.with_columns(_moments(table.schema["labelled_at"])).select(FILE.names()).cast(FILE)
    except (OSError, pl.exceptions.PolarsError) as error:
        cause = str(error).partition("\n")[0]
        raise LabelFileError(f"{file.name}: no file of {', '.join(FILE)}: {cause}") from None
    if any(labels.null_count().row(0)) or not labels["label"].is_in(list(Label)).all():
        raise LabelFileError(f"{file.name}: a value is missing, or a label is none of {', '.join(Label)}")
    return labels


def _moments(kind: pl.DataType) -> pl.Expr:
    """Of the column, whose type may be another; null for what is none."""
    at = pl.col("labelled_at")
    if isinstance(kind, pl.Datetime):
        return at if kind.time_zone else at.dt.replace_time_zone("UTC")
    return at.cast(pl.String).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
