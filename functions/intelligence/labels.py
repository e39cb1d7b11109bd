"""The labels that a look needs, out of the store of labels."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from assay.intelligence.labels_table import labels_since
from assay.labels.ports import LabelStore

REACH = timedelta(days=150)
"""Longer than any policy looks back."""


async def labels_before(store: LabelStore, at: datetime) -> pl.DataFrame:
    """Those of what was decided in the weeks that a look reaches back to, as `labels_since`. Raises `StorageError`."""
    return await labels_since(store, at - REACH)
