"""The labels that a look needs, out of the store of labels."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from assay.features.windows import DAY
from assay.labels.ports import LabelStore, Position
from assay.moments import microseconds, moment

REACH = 150 * DAY
"""Longer than any policy looks back."""
AT_ONCE = 500
SCHEMA = pl.Schema(
    {
        **dict.fromkeys(("client_id", "transaction_id", "label"), pl.String()),
        "labelled_at": pl.Datetime("us", "UTC"),
    }
)


async def labels_before(store: LabelStore, at: datetime) -> pl.DataFrame:
    """Client_id, transaction_id, label, labelled_at, of what was decided in the weeks that a look reaches back to.

    Raises `StorageError`.
    """
    rows: list[tuple[str, str, str, datetime]] = []
    after: Position | None = None
    while page := await store.in_effect(microseconds(at) - REACH, after, AT_ONCE):
        for one in page:
            if one.current is not None:
                subject, opinion = one.subject, one.current
                known = moment(opinion.labelled_at)
                rows.append((subject.client_id, subject.transaction_id, opinion.label.value, known))
        last = page[-1].subject
        after = Position(last.decided_at, last.client_id, last.transaction_id)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
