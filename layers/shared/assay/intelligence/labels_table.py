"""The labels in effect as a table: what looks compare with, and what a training learns from."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from assay.labels.ports import LabelStore, Position
from assay.moments import microseconds, moment

AT_ONCE = 500
_TEXTS = ("client_id", "transaction_id", "label", "labelled_by")
_MOMENTS = ("labelled_at", "known_at")
SCHEMA = pl.Schema({**dict.fromkeys(_TEXTS, pl.String()), **dict.fromkeys(_MOMENTS, pl.Datetime("us", "UTC"))})


async def labels_since(store: LabelStore, since: datetime) -> pl.DataFrame:
    """One row per transaction that was decided since then and has a label.

    `labelled_by`: id of a user or a service client; `labelled_at`: when they came to it; `known_at`: since when it
    counts here. Raises `StorageError`.
    """
    rows: list[tuple[str, str, str, str, datetime, datetime]] = []
    after: Position | None = None
    while page := await store.in_effect(microseconds(since), after, AT_ONCE):
        for one in page:
            if (opinion := one.current) is not None:
                which = one.subject.client_id, one.subject.transaction_id, opinion.label.value
                known = moment(opinion.labelled_at), moment(opinion.counts_since or opinion.at)
                rows.append((*which, opinion.by, *known))
        last = page[-1].subject
        after = Position(last.decided_at, last.client_id, last.transaction_id)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
