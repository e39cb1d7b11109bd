"""A device: the accounts seen on it, and when it was first seen at all."""

from __future__ import annotations

from collections.abc import Iterable

from assay.features.distinct import DistinctWindow
from assay.features.windows import DAY, NEVER

DEVICE_WIDTH = 30 * DAY
ADDRESS_WIDTH = DAY
NOT_YET = 1 << 62
"""After every time: never seen so far."""


class Device(DistinctWindow):
    """The accounts of 30 days. `first_seen` has no horizon: it is of ever."""

    __slots__ = ("first_seen",)

    def __init__(self, events: Iterable[tuple[int, str]] = (), floor: int = NEVER, first_seen: int = NOT_YET) -> None:
        """`events` (time, account) are all that came after `floor`, in any order."""
        super().__init__(DEVICE_WIDTH, events, floor)
        self.first_seen = first_seen

    def sight(self, t: int) -> bool:
        """Whether the device had been seen by `t`; from now on it has."""
        if self.first_seen <= t:
            return True
        self.first_seen = t
        return False

    def unsee(self, t: int) -> None:
        """Undo `sight`, after the event was removed."""
        if t == self.first_seen:
            self.first_seen = self.times[0] if self.times else NOT_YET
