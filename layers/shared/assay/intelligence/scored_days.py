"""Scored events by the day they were decided on, as Protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LATE = timedelta(days=1)
"""A decision may come so long before the moment its event gives: clocks differ."""
AT_ONCE = 20_000
"""Events that are held together as they came: some 2 kB each."""


@dataclass(frozen=True, slots=True)
class Day:
    """What was decided on a day (UTC), as far as it is known by now."""

    name: str
    """`2026-11-21`."""
    content: str
    """The same for the same events only."""
    batches: Callable[[], AsyncIterator[list[bytes]]]
    """The events as they came, one perhaps twice: always the same ones. Raises `StorageError`."""


class ScoredDays(Protocol):
    """Where scored events are kept."""

    async def days(self, since: datetime | None = None) -> list[Day]:
        """The days that may hold events that happened at `since` or later, in order, without those that hold none.

        Equal events are on the same day. Raises `StorageError`.
        """
        ...
