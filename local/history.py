"""What was scored, as a data frame: of the embedded installation's file, or of an archive of scored events."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from assay.adapters.archives import open_archive
from assay.adapters.sqlite.schema import open_reader
from assay.errors import StorageError
from assay.intelligence import archived
from assay.intelligence.scored_table import COLUMNS, IDENTITY, decoded, empty
from assay.moments import microseconds

if TYPE_CHECKING:
    from local.embedded import Places

Source: TypeAlias = "Places | str"
"""The embedded installation, or the location of an archive: `s3://bucket/prefix`, or a folder."""
AT_ONCE = 20_000
"""Events that are decoded together: their bodies are some 2 kB each."""
SINCE = "SELECT body FROM scored_events WHERE decided_at >= ?"
ALL = "SELECT body FROM scored_events"
LAST = "SELECT body FROM scored_events ORDER BY decided_at DESC LIMIT 1000"
"""Events may be decided in another order than they happened."""
STEP_UPS = "SELECT client_id, transaction_id, outcome FROM step_ups"
STEP_UP = "step_up"
DECIDED_BY = "SELECT body FROM scored_events WHERE decided_at >= ? AND release_hash = ?"


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
    frames = list(scored_frames(source, since, until, (*columns, "occurred_at")))
    start = _nothing((*columns, "occurred_at"))
    table = pl.concat([start, *frames]) if frames else start
    return table.sort("occurred_at", maintain_order=True).select(columns)


def scored_frames(
    source: Source,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] = COLUMNS,
) -> Iterator[pl.DataFrame]:
    """The rows of `scored_table` part by part, for what need not hold them all. Ordered neither within nor among."""
    asked = [name for name in dict.fromkeys([*columns, *IDENTITY, "occurred_at"]) if name != STEP_UP]
    batches = _of_archive(source, since) if isinstance(source, str) else _of_database(source, since)
    step_ups = _step_ups(source) if STEP_UP in columns else None
    for frame in decoded(batches, asked):
        rows = frame.unique(IDENTITY, keep="first", maintain_order=True)
        if step_ups is not None:
            rows = rows.join(step_ups, on=IDENTITY, how="left", maintain_order="left")
        yield rows.filter(*_within(since, until)).select(list(dict.fromkeys(columns)))


def decided_by(places: Places, release_hash: str, since: datetime, columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """The rows of `scored_table` that this release decided at `since` or later, whenever they happened.

    Raises `StorageError`.
    """
    asked = list(dict.fromkeys((*columns, "occurred_at")))
    bodies = _bodies(places, DECIDED_BY, microseconds(since.astimezone(UTC)), release_hash)
    table = pl.concat([empty(asked), *decoded(bodies, asked)])
    return table.filter(pl.col("occurred_at").is_not_null()).sort("occurred_at", maintain_order=True).select(columns)


def newest(source: Source) -> datetime | None:
    """The moment of the newest event; None when there is none. Raises `StorageError`."""
    batches = [_last_day(source)] if isinstance(source, str) else _bodies(source, LAST)
    frames = decoded(batches, ["occurred_at"])
    moments = [frame["occurred_at"].max() for frame in frames]
    return max((moment for moment in moments if isinstance(moment, datetime)), default=None)


def _nothing(columns: Sequence[str]) -> pl.DataFrame:
    """No row."""
    known = list(dict.fromkeys(columns))
    kinds = empty([name for name in known if name != STEP_UP]).schema
    return pl.DataFrame(schema={name: kinds.get(name, pl.String()) for name in known})


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


def _within(since: datetime | None, until: datetime | None) -> list[pl.Expr]:
    moment = pl.col("occurred_at")
    bounds = [moment.is_not_null()]
    if since is not None:
        bounds.append(moment >= since.astimezone(UTC))
    if until is not None:
        bounds.append(moment < until.astimezone(UTC))
    return bounds


def _of_database(places: Places, since: datetime | None) -> Iterator[list[bytes]]:
    return _bodies(places, ALL) if since is None else _bodies(places, SINCE, _first(since))


def _bodies(places: Places, query: str, *values: object) -> Iterator[list[bytes]]:
    if not places.database.is_file():
        raise StorageError(f"{places.database}: there is no such file")
    try:
        with closing(open_reader(places.database)) as reader:
            rows = reader.execute(query, values)
            while bodies := [body for (body,) in rows.fetchmany(AT_ONCE)]:
                yield bodies
    except sqlite3.Error as error:
        raise StorageError(f"{places.database.name}: {error}") from error


def _first(since: datetime) -> int:
    return microseconds(since.astimezone(UTC) - archived.LATE)


def _of_archive(location: str, since: datetime | None) -> Iterator[list[bytes]]:
    """A day at a time: what came twice is on the same day."""
    loop = asyncio.new_event_loop()
    try:
        days = archived.days(open_archive(location), since)
        while (day := loop.run_until_complete(_next(days))) is not None:
            yield day
    finally:
        loop.close()


async def _next(days: AsyncIterator[list[bytes]]) -> list[bytes] | None:
    return await anext(days, None)


def _last_day(location: str) -> list[bytes]:
    return asyncio.run(archived.last_day(open_archive(location)))
