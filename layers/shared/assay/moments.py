"""Moments as the stores and the features keep them: whole microseconds since the epoch, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since the epoch, exact: a float of seconds would be off by one now and then."""
    return (moment - EPOCH) // MICROSECOND


def moment(microseconds: int) -> datetime:
    """The moment so many microseconds after the epoch, UTC."""
    return EPOCH + microseconds * MICROSECOND


def now() -> int:
    """This moment, in microseconds."""
    return time.time_ns() // 1000
