"""The scoring process of a replay. Kept apart so that it starts without the libraries the other one needs."""

from __future__ import annotations

import polars as pl

from assay.features.direct import Row
from local.champion import open_champion
from local.places import Places
from local.replay.scoring import BatchScorer

_scorer: BatchScorer


def open_scorer(places: Places) -> None:
    """Opens the champion, once."""
    global _scorer
    _scorer = BatchScorer(open_champion(places))


def score(rows: list[Row]) -> pl.DataFrame:
    """Verdicts of feature rows."""
    return _scorer.score(rows)
