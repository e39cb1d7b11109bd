"""Who said what of which row, and when: beside the feature table, which knows frauds only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.history import KEYS

NOBODY = ""
"""A sender that is not known: of an import, or of a history without that column."""


@dataclass(frozen=True, slots=True)
class Said:
    """One entry per row of the table. `labelled`: somebody said fraud or legitimate; what has no label counts as
    legitimate, and nobody said so. `sender`: who, `NOBODY` when unknown; `day`: since the epoch (UTC), on which the
    label came to count, whatever its sender says of the time."""

    labelled: NDArray[np.bool_]
    sender: NDArray[np.str_]
    day: NDArray[np.int64]

    def of(self, rows: NDArray[np.bool_]) -> Said:
        """The chosen rows'."""
        return Said(self.labelled[rows], self.sender[rows], self.day[rows])


def said_of(history: pl.DataFrame, labels: pl.DataFrame) -> Said:
    """In the order of `history_table`, whose arguments these are. `labels` may have two more columns: `labelled_by`
    and `counts_since` (datetime); without the second, the day is that of `known_at`."""
    keys = [key for key in KEYS if key in history.columns and key in labels.columns]
    newest = labels.sort("known_at", maintain_order=True).unique(keys, keep="last")
    since = "counts_since" if "counts_since" in labels.columns else "known_at"
    sender = pl.col("labelled_by") if "labelled_by" in labels.columns else pl.lit(None, pl.String)
    told = newest.select(
        *keys,
        sender.fill_null(NOBODY).alias("_sender"),
        pl.col(since).dt.epoch("d").cast(pl.Int64).alias("_day"),
        pl.lit(value=True).alias("_labelled"),
    )
    rows = history.sort("occurred_at", maintain_order=True).join(told, on=keys, how="left", maintain_order="left")
    return Said(
        rows["_labelled"].fill_null(value=False).to_numpy().astype(np.bool_),
        rows["_sender"].fill_null(NOBODY).to_numpy().astype(np.str_),
        rows["_day"].fill_null(-1).to_numpy().astype(np.int64),
    )
