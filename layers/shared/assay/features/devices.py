"""A device: the accounts seen on it, and when it was first seen at all."""

from __future__ import annotations

from collections.abc import Iterable

from assay.features.distinct import DistinctWindow
from assay.features.windows import DAY, NEVER

DEVICE_WIDTH = 30 * DAY
ADDRESS_WIDTH = DAY
NOT_YET = 1 << 62
"""After every time: never seen so far."""
ANY = ""
"""In place of an account: whoever it was."""
REMEMBERED = 8
"""How many former first uses are remembered for an undo, when late events keep coming before them."""


class Device(DistinctWindow):
    """The accounts of 30 days. `first_seen` has no horizon: it is of ever."""

    __slots__ = ("_lowered", "first_seen")

    def __init__(self, events: Iterable[tuple[int, str]] = (), floor: int = NEVER, first_seen: int = NOT_YET) -> None:
        """`events` (time, account) are all that came after `floor`, in any order."""
        super().__init__(DEVICE_WIDTH, events, floor)
        self.first_seen = first_seen
        self._lowered: dict[str, list[int]] = {}

    def sight(self, t: int) -> bool:
        """Whether the device had been seen by `t`; from now on it has."""
        if self.first_seen <= t:
            return True
        self.lower(ANY, self.first_seen)
        self.first_seen = t
        return False

    def unsee(self, t: int) -> None:
        """Undo `sight`, after the event was removed."""
        first = self.first_without(ANY, t)
        if t == self.first_seen:
            self.first_seen = first

    def lower(self, account: str, first: int) -> None:
        """A late event has come before what was the first use by the account (or ANY): remember that one."""
        if first != NOT_YET:
            self._lowered[account] = [*self._lowered.get(account, ())[1 - REMEMBERED :], first]

    def first_without(self, account: str, t: int) -> int:
        """The first use by the account (or ANY) that is known of, now that the one at `t` is gone; or NOT_YET."""
        known = self._lowered.get(account, [])
        if t in known:
            known.remove(t)
        kept = (self.times[0] if self.times else None) if account == ANY else self.first(account)
        return min([*known, NOT_YET if kept is None else kept])
