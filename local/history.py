"""What was scored, as a data frame: of the embedded installation's file, or of an archive of scored events."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from assay.adapters.archives import open_archive
from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.schema import open_reader
from assay.adapters.sqlite.scored_days import SqliteScoredDays
from assay.errors import StorageError
from assay.intelligence.archived import ArchivedDays
from assay.intelligence.day_tables import DayTables
from assay.intelligence.scored_history import ScoredHistory, archived_history, decoded
from assay.intelligence.scored_table import COLUMNS, IDENTITY, decode, empty

if TYPE_CHECKING:
    from local.places import Places

Source: TypeAlias = "Places | str"
"""The embedded installation, or the location of an archive: `s3://bucket/prefix`, or a folder."""
STEP_UPS = "SELECT client_id, transaction_id, outcome FROM step_ups"
STEP_UP = "step_up"


def history_of(source: Source) -> ScoredHistory:
    """Tables of an installation's days are in its data folder, in `tables/`; of an archive's, in the archive."""
    if isinstance(source, str):
        return archived_history(open_archive(source))
    files = FolderArchive(source.data)
    return ScoredHistory(SqliteScoredDays(source.database), DayTables(files, files.discard))


def scored_table(
    source: Source,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] = COLUMNS,
) -> pl.DataFrame:
    """One row per scored event with `since <= occurred_at < until`, in the order of that moment.

    Columns: who and what (client_id, transaction_id, occurred_at, decided_at, account_id, device_id, ip_address,
    counterparty_id, transaction_type, merchant_category), the verdict (decision, triggered_by, fraud_score, if_score,
    ae_error, rules_flag, triggered_rules, is_early_exit, degraded, release_version, release_hash), and every feature of
    the catalogue, `amount` being in the base currency. Moments are UTC; null is unknown. The fewer columns are asked
    for, the faster it is. `step_up` besides, only when it is asked for: passed, failed or expired, null when there was
    none, and always of an archive, which does not hold it. Raises `StorageError`.
    """
    asked = [name for name in dict.fromkeys([*columns, *IDENTITY, "occurred_at"]) if name != STEP_UP]
    table = pl.concat([empty(asked), *_through(history_of(source).frames(since, until, asked))])
    if STEP_UP in columns:
        table = table.join(_step_ups(source), on=IDENTITY, how="left", maintain_order="left")
    return table.sort("occurred_at", maintain_order=True).select(columns)


def decided_by(places: Places, release_hash: str, since: datetime, columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """The rows of `scored_table` that this release decided at `since` or later, whenever they happened.

    Raises `StorageError`.
    """
    return asyncio.run(history_of(places).decided_by(release_hash, since, columns))


def newest(source: Source) -> datetime | None:
    """The moment of the newest event; None when there is none. Raises `StorageError`."""
    if isinstance(source, str):
        frame = asyncio.run(_last_day(source))
    else:
        bodies = SqliteScoredDays(source.database).last()
        frame = decode(bodies, ["occurred_at"]) if bodies else empty(["occurred_at"])
    found = frame["occurred_at"].max()
    return found if isinstance(found, datetime) else None


async def _last_day(location: str) -> pl.DataFrame:
    days = await ArchivedDays(open_archive(location)).days()
    columns = [*IDENTITY, "occurred_at"]
    return await decoded(days[-1], columns) if days else empty(columns)


def _step_ups(source: Source) -> pl.DataFrame:
    """How each ended."""
    rows: list[tuple[str, str, str]] = []
    if not isinstance(source, str):
        try:
            with closing(open_reader(source.database)) as reader:
                rows = reader.execute(STEP_UPS).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"{source.database.name}: {error}") from error
    return pl.DataFrame(rows, schema=dict.fromkeys((*IDENTITY, STEP_UP), pl.String()), orient="row")


def _through(frames: AsyncIterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The frames, for callers without an event loop."""

    async def following() -> pl.DataFrame | None:
        return await anext(frames, None)

    with asyncio.Runner() as runner:
        while (frame := runner.run(following())) is not None:
            yield frame
