"""The scoring process of a replay. Kept apart so that it starts without the libraries the other one needs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from assay.features.direct import Row
from assay.release import load_trusted_keys, open_release
from assay.release.registry import champion
from local.replay.scoring import BatchScorer

_scorer: BatchScorer


def open_scorer(models: Path, keys: Path) -> None:
    """Opens the champion of the models folder, once; `keys` are trusted too."""
    global _scorer
    releases = models / "releases"
    _scorer = BatchScorer(open_release(releases / champion(releases), load_trusted_keys(models / "keys", keys)))


def score(rows: list[Row]) -> pl.DataFrame:
    """Verdicts of feature rows."""
    return _scorer.score(rows)
