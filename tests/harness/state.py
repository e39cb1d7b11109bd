"""What an installation's file holds, read from beside the running server."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

TABLES = ("decisions", "activity", "logins", "scored_events", "dead_letters", "stand_in", "device_uses")
PATIENCE_S = 30.0
EVENTS = (
    "SELECT count(*), coalesce(max(sequence), 0) FROM outbox"
    " WHERE kind NOT LIKE 'challenge.%' AND kind <> 'decision.final'"
)
"""Without those of challenges, which expire by themselves."""
PENDING = "SELECT count(*) FROM outbox, consumers WHERE outbox.sequence > consumers.sequence"

Answer = TypeVar("Answer")


def query(data: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows, through a connection that can only read."""
    connection = sqlite3.connect(f"file:{data / 'assay.db'}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def eventually(look: Callable[[], Answer], good: Callable[[Answer], bool], what: str) -> Answer:
    """Looks until it is good, for a bounded time; the last look."""
    deadline = time.monotonic() + PATIENCE_S
    while not good(found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still {found!r} after {PATIENCE_S:.0f} s")
        time.sleep(0.02)
    return found


def drained(data: Path) -> None:
    """Waits until every consumer has had every event."""
    eventually(lambda: query(data, PENDING)[0][0], lambda depth: depth == 0, "depth of the outbox")


def counts(data: Path) -> dict[str, int]:
    """Rows per table, and the last event's number, once nothing is under way."""
    drained(data)
    found = {table: query(data, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}  # noqa: S608 - our names
    events, last = query(data, EVENTS)[0]
    return {**found, "outbox": events, "last event": last}
