"""The Fraud Detection Handbook's simulated transactions: from a folder where they are, else from their public home."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from training.handbook.fetch import fetch
from training.handbook.pickles import HandbookError, read_frame
from training.work import Progress

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where the project's own data folder is, for those who have it."""
FETCHED = "transactions.parquet"
TYPES: dict[str, type[pl.DataType] | pl.DataType] = {
    "TRANSACTION_ID": pl.Int64,
    "TX_DATETIME": pl.Datetime("ms"),
    "CUSTOMER_ID": pl.Int32,
    "TERMINAL_ID": pl.Int32,
    "TX_AMOUNT": pl.Float64,
    "TX_TIME_DAYS": pl.Int32,
    "TX_FRAUD": pl.Int8,
    "TX_FRAUD_SCENARIO": pl.Int8,
}
"""The columns that are read. TX_FRAUD_SCENARIO tells how the fraud was made: for the report, never a feature."""


def load(folder: Path | None, cache: Path, progress: Progress) -> pl.DataFrame:
    """All transactions in the order of their ids, which is the order of their times.

    `folder`: a Parquet file `transactions*.parquet` or the published pickles (`*.pkl`, also in `data/` as in a clone),
    in it or in its `handbook/`. None: ASSAY_DATA_DIR, else the project's data folder, else `cache`, which is filled
    from the public home when it is empty. Raises HandbookError.
    """
    if folder is None:
        folder = next((place for place in _places(cache) if _files(place)), None)
    if folder is None:
        cache.mkdir(parents=True, exist_ok=True)
        _read(fetch(cache, progress), progress).write_parquet(cache / FETCHED)
        folder = cache
    files = _files(folder)
    if not files:
        raise HandbookError(f"{folder}: no transactions*.parquet and no *.pkl of the Handbook there")
    return _read(files, progress)


def _places(cache: Path) -> list[Path]:
    named = os.environ.get("ASSAY_DATA_DIR")
    return [Path(named) if named else BESIDE, cache]


def _files(folder: Path) -> list[Path]:
    for place in (folder / "handbook", folder):
        parquet = sorted(place.glob("transactions*.parquet"))
        if parquet:
            return parquet[-1:]
        pickles = sorted([*place.glob("*.pkl"), *place.glob("data/*.pkl")])
        if pickles:
            return pickles
    return []


def _read(files: list[Path], progress: Progress) -> pl.DataFrame:
    parts = []
    for done, file in enumerate(files):
        progress("reading", done / len(files))
        try:
            parts.append(_part(file))
        except (OSError, pl.exceptions.PolarsError, HandbookError) as error:
            raise HandbookError(f"{file.name}: {error}") from None
    frame = pl.concat(parts).sort("TRANSACTION_ID")
    if not frame["TX_DATETIME"].is_sorted():
        raise HandbookError("the transactions' ids are not in the order of their times: not the Handbook's data")
    return frame


def _part(file: Path) -> pl.DataFrame:
    if file.suffix == ".parquet":
        return pl.read_parquet(file, columns=list(TYPES), glob=False).cast(TYPES)  # type: ignore[arg-type]
    return read_frame(file.read_bytes(), list(TYPES)).select(list(TYPES)).cast(TYPES)  # type: ignore[arg-type]
