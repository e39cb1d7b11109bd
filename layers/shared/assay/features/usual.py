"""The country an account mostly pays in."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from assay.features.windows import DAY, NEVER, give, take

MONTH = 30 * DAY


class UsualCountry:
    """For each country of the newest transaction's 30 days, how often it was used and when last.

    There are at most as many entries as there are countries, however long the history. The most frequent country is the
    usual one; of several, the one used last; at one moment, the last in the alphabet, so that the order in which the
    transactions came does not matter.
    """

    __slots__ = ("countries", "month", "times", "uses")

    def __init__(self, times: array[int], countries: list[str | None]) -> None:
        """Both columns are the account's own, kept in order before any method here is called."""
        self.times = times
        self.countries = countries
        self.uses: dict[str, list[int]] = {}
        self.month = len(times)
        self._move_back()

    def append(self, t: int, country: str | None, month: int) -> float | None:
        """Count the newest transaction, whose 30 days begin at `month`; 1.0 if its country is not the usual one."""
        if month == self.month + 1:
            self._drop(self.countries[self.month])
        elif month != self.month:
            self._leave(month)
        self.month = month
        if country is None:
            return None
        uses = self.uses
        use = uses.get(country)
        if use is None:
            mismatch = 1.0 if uses else 0.0
            uses[country] = [1, t]
            return mismatch
        mismatch = 0.0 if len(uses) == 1 else float(country != self._most_used())
        use[0] += 1
        use[1] = t
        return mismatch

    def insert(self, index: int, high: int, country: str | None) -> float | None:
        """As `append`, for a transaction put at `index`, before later ones, the first of which is at `high`.

        Answered from what differs between its 30 days and the newest transaction's.
        """
        countries, t = self.countries, self.times[index]
        if t <= self.times[-1] - MONTH:
            self.month += 1
        elif country is not None:
            self._use(country, t)
        if country is None:
            return None
        low = bisect_right(self.times, t - MONTH)
        counts = {place: use[0] for place, use in self.uses.items()}
        for place in countries[low : self.month]:
            give(counts, place)
        for place in countries[high:]:
            take(counts, place)
        take(counts, country)
        most = max(counts.values(), default=0)
        tied = {place for place, count in counts.items() if count == most}
        if len(tied) < 2:
            return float(bool(tied) and country not in tied)
        last = next(at for at in reversed(range(low, high)) if at != index and countries[at] in tied)
        return float(country != countries[last])

    def remove(self, index: int, t: int, country: str | None) -> None:
        """Undo the counting of the transaction that the account has taken from `index`."""
        if index < self.month:
            self.month -= 1
        elif country is not None:
            use = self.uses[country]
            use[0] -= 1
            if not use[0]:
                del self.uses[country]
            elif t == use[1]:
                last = next(at for at in reversed(range(len(self.times))) if self.countries[at] == country)
                use[1] = self.times[last]
        self._move_back()

    def _most_used(self) -> str:
        return max((use[0], use[1], place) for place, use in self.uses.items())[2]

    def _use(self, country: str, t: int) -> None:
        use = self.uses.setdefault(country, [0, t])
        use[0] += 1
        use[1] = max(use[1], t)

    def _move_back(self) -> None:
        month = bisect_right(self.times, (self.times[-1] if self.times else NEVER) - MONTH)
        for at in range(month, self.month):
            country = self.countries[at]
            if country is not None:
                self._use(country, self.times[at])
        self.month = month

    def _drop(self, country: str | None) -> None:
        if country is not None:
            use = self.uses[country]
            use[0] -= 1
            if not use[0]:
                del self.uses[country]

    def _leave(self, head: int) -> None:
        """Move to a new head, before the newest transaction is counted: the smaller of two ways."""
        times, countries, uses, newest = self.times, self.countries, self.uses, len(self.times) - 1
        if head - self.month > newest - head:
            uses.clear()
            for at in range(head, newest):
                country = countries[at]
                if country is not None:
                    self._use(country, times[at])
        else:
            for at in range(self.month, head):
                self._drop(countries[at])
