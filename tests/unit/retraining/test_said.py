"""Who said what: in the order of the feature table, with what a history lacks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from assay.features.catalog import NAMES
from training.history import history_table
from training.retraining.said import NOBODY, said_of
from training.table import CATEGORIES

MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)
DAY = (MORNING - datetime(1970, 1, 1, tzinfo=UTC)).days


def history(*names: str) -> pl.DataFrame:
    """The last one happened first."""
    moments = [MORNING - timedelta(hours=hour) for hour in range(len(names))]
    features = {
        name: pl.Series([None] * len(names), dtype=pl.String if name in CATEGORIES else pl.Float64) for name in NAMES
    }
    return pl.DataFrame({"client_id": "shop", "transaction_id": names, "occurred_at": moments, **features})


def labels(**said: tuple[str, str | None, int]) -> pl.DataFrame:
    """Transaction -> label, by whom, and after how many days it came to count. All are dated one hour later."""
    later = MORNING + timedelta(hours=1)
    return pl.DataFrame(
        {
            "client_id": "shop",
            "transaction_id": list(said),
            "label": [label for label, _, _ in said.values()],
            "labelled_by": pl.Series([by for _, by, _ in said.values()], dtype=pl.String),
            "known_at": later,
            "counts_since": [later + timedelta(days=days) for _, _, days in said.values()],
        }
    )


def test_it_goes_with_the_table() -> None:
    rows = history("a", "b", "c", "d")
    told = labels(a=("fraud_confirmed", "ana", 3), b=("legitimate", "ben", 0), c=("fraud_confirmed", None, 1))
    table, said = history_table(rows, told), said_of(rows, told)
    assert table.labels.tolist() == [False, True, False, True]  # d, c, b, a
    assert said.labelled.tolist() == [False, True, True, True]
    assert said.sender.tolist() == [NOBODY, NOBODY, "ben", "ana"]
    assert said.day.tolist() == [-1, DAY + 1, DAY, DAY + 3]


def test_a_history_that_does_not_say_who() -> None:
    rows, told = (
        history("a", "b"),
        labels(a=("fraud_confirmed", "ana", 3)).drop("labelled_by", "counts_since", "client_id"),
    )
    said = said_of(rows, told)
    assert said.sender.tolist() == [NOBODY, NOBODY]
    assert said.day.tolist() == [-1, DAY]


def test_no_labels_at_all() -> None:
    said = said_of(history("a"), labels(a=("legitimate", "ana", 0)).clear())
    assert (said.labelled.tolist(), said.sender.tolist()) == ([False], [NOBODY])


def test_the_chosen_rows() -> None:
    said = said_of(history("a", "b"), labels(a=("legitimate", "ana", 0))).of(np.array([False, True]))
    assert said.sender.tolist() == ["ana"]
