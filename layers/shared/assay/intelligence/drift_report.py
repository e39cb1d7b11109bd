"""What a look for drift says."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from assay.schemas.base import Contract, Finite

DRIFT_DETECTED = "drift.detected"
"""The event when something comes into alarm."""


class Level(StrEnum):
    """In the order of their gravity."""

    OK = "ok"
    WARNING = "warning"
    ALARM = "alarm"

    @property
    def gravity(self) -> int:
        """0 for the least."""
        return list(Level).index(self)


class Measurement(Contract):
    """One thing in one window, compared with one baseline."""

    kind: Literal["feature", "score", "rate", "outcome"]
    name: str = Field(description="A feature or a score; decline, challenge or fraud rate; recall or precision.")
    measure: Literal["psi", "ks", "ratio", "difference"]
    segment: str = Field(description="`all`, or `column=value`.")
    window: str = Field(description="Its length: `24h`, `7d`.")
    against: Literal["reference", "before"] = Field(
        description="The release's training data, or the weeks before the window."
    )
    value: Finite
    before: Finite | None = Field(description="The share in the baseline, of rates and outcomes.")
    now: Finite | None = Field(description="The share in the window.")
    count: int = Field(description="Events in the window that it is of.")
    level: Level


class DriftReport(Contract):
    """Everything that was looked at."""

    at: datetime = Field(description="Where the windows end: the last step before the newest event.")
    release: str
    events: int = Field(description="That were read.")
    level: Level
    drifted: list[str] = Field(description="Names in alarm, and those that were and are still above the warning.")
    since: dict[str, datetime] = Field(description="Of each of them, when it was first in alarm.")
    measurements: list[Measurement] = Field(description="Gravest first; of segments only warnings and alarms.")
    too_few: int = Field(description="Comparisons that were not made, for want of events.")
