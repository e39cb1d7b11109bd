"""An account's login attempts over the hour before a transaction."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable

from assay.features.windows import HOUR, NEVER, PRUNE_AT, drop, drop_until, put

TRIES = 3
"""So many failures before a success look like a password that was guessed."""
QUIET = (0.0, 0.0)


class Logins:
    """Sorted times of failures and of successes. Where both fall on one moment, the failure counts as the earlier."""

    __slots__ = ("failures", "floor", "limit", "successes")

    def __init__(self, events: Iterable[tuple[int, bool]] = ()) -> None:
        ordered = sorted(events)
        self.failures = array("q", [time for time, success in ordered if not success])
        self.successes = array("q", [time for time, success in ordered if success])
        self.floor = NEVER
        self.limit = max(PRUNE_AT, 2 * len(ordered))

    def newest(self) -> int:
        """Time of the last attempt."""
        failures, successes = self.failures, self.successes
        return max(failures[-1] if failures else NEVER, successes[-1] if successes else NEVER)

    def add(self, t: int, success: bool) -> None:
        """Count an attempt."""
        put(self.successes if success else self.failures, t)

    def remove(self, t: int, success: bool) -> None:
        """Undo `add`."""
        drop(self.successes if success else self.failures, t)

    def features(self, t: int) -> tuple[float, float]:
        """(failures in the hour, 1.0 if a success in it came after TRIES of them)."""
        failures, successes = self.failures, self.successes
        if not failures or failures[-1] <= t - HOUR:
            return QUIET
        low = bisect_right(failures, t - HOUR)
        failed = bisect_right(failures, t, low) - low
        if failed < TRIES or not successes:
            return float(failed), 0.0
        # The last success has the most failures before it: the others need not be looked at.
        last = bisect_right(successes, t) - 1
        guessed = last >= 0 and bisect_right(failures, successes[last]) - low >= TRIES
        return float(failed), float(guessed)

    def is_full(self) -> bool:
        """Whether it is time to prune."""
        return len(self.failures) + len(self.successes) >= self.limit

    def prune(self, cutoff: int) -> None:
        """Forget the attempts up to `cutoff`: what is asked of then is not known any more."""
        self.floor = cutoff
        drop_until(self.failures, cutoff)
        drop_until(self.successes, cutoff)
        self.limit = max(PRUNE_AT, 2 * (len(self.failures) + len(self.successes)))
