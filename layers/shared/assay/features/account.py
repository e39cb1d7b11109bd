"""One account: its transactions in time order, what is counted over them, and its logins."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from assay.features import habits, spending
from assay.features.habits import Habits
from assay.features.logins import Logins
from assay.features.spending import Spending
from assay.features.usual import MONTH
from assay.features.windows import HOUR, LATENESS, NEVER, PRUNE_AT

RETENTION = MONTH + LATENESS
Row = tuple[float | None, ...]
Rows = tuple[Row, Row, Row]
"""Those of `spending`, `habits` and `logins`."""
LOGIN_WIDTHS = (HOUR, HOUR)
WIDTHS = (spending.ROW_WIDTHS, habits.ROW_WIDTHS, LOGIN_WIDTHS)
UNKNOWN: Rows = ((None,) * len(WIDTHS[0]), (None,) * len(WIDTHS[1]), (None,) * len(WIDTHS[2]))


class Account:
    """Costs and lateness as in `windows`, RETENTION being counted from the newest transaction or login.

    Whatever comes after `edge` is in order and finds all its windows complete.
    """

    __slots__ = ("edge", "floor", "habits", "limit", "logins", "name", "spending", "times")

    def __init__(
        self,
        name: str,
        transactions: Iterable[tuple[int, int | None, str | None, str | None]] = (),
        logins: Iterable[tuple[int, bool]] = (),
        floor: int = NEVER,
    ) -> None:
        """`transactions` (time, amount, counterparty, country) and `logins` are all that came after `floor`."""
        ordered = sorted(transactions, key=lambda row: (row[0], row[3] or ""))
        self.name = name
        self.times = array("q", [row[0] for row in ordered])
        self.spending = Spending(self.times, [row[1] for row in ordered])
        self.habits = Habits(self.times, [row[2] for row in ordered], [row[3] for row in ordered])
        self.logins = Logins(logins)
        self.edge = self.floor = floor
        self.limit = max(PRUNE_AT, 2 * len(ordered))
        self._set_edge()

    def add(self, t: int, amount: int | None, counterparty: str | None, country: str | None) -> Rows:
        """Count a transaction; the features at its time."""
        if t <= self.edge:
            return self._add_late(t, amount, counterparty, country)
        if len(self.times) >= self.limit:
            self._prune()
        self.edge = t
        self.times.append(t)
        spending = self.spending
        spent = spending.append(t, amount)
        kept = self.habits.append(t, counterparty, country, spending.day, spending.month)
        return spent, kept, self.logins.features(t)

    def remove(self, t: int, amount: int | None, counterparty: str | None, country: str | None) -> None:
        """Undo `add`. A transaction that is no longer kept is no longer counted either."""
        sums, kept = self.spending.sums, self.habits
        for index in range(bisect_left(self.times, t), bisect_right(self.times, t)):
            same = sums[index + 1] - sums[index] == (amount or 0) and kept.counterparties[index] == counterparty
            if same and kept.countries[index] == country:
                break
        else:
            return
        del self.times[index]
        self.spending.remove(index, t, amount)
        self.habits.remove(index, t, counterparty, country)
        self._set_edge()

    def add_login(self, t: int, success: bool) -> None:
        """Count a login attempt."""
        if self.logins.is_full():
            self.logins.prune(self._horizon())
        self.logins.add(t, success)
        self._set_edge()

    def remove_login(self, t: int, success: bool) -> None:
        """Undo `add_login`."""
        self.logins.remove(t, success)
        self._set_edge()

    def _newest(self) -> int:
        return max(self.times[-1] if self.times else NEVER, self.logins.newest())

    def _horizon(self) -> int:
        return max(self._newest() - RETENTION, self.floor, self.logins.floor)

    def _set_edge(self) -> None:
        self.edge = max(self._newest(), self.floor + MONTH, self.logins.floor + MONTH)

    def _add_late(self, t: int, amount: int | None, counterparty: str | None, country: str | None) -> Rows:
        times, horizon = self.times, self._horizon()
        # A login may have moved the horizon: what is near the last transaction is still the next one's previous.
        if t <= max((times[-1] if times else NEVER) - RETENTION, self.floor):
            self.floor = max(self.floor, t)
            return UNKNOWN
        back = horizon if t < self._newest() else NEVER
        index = self._place(t, country)
        times.insert(index, t)
        if index == len(times) - 1:
            spent = self.spending.append(t, amount)
            kept = self.habits.append(t, counterparty, country, self.spending.day, self.spending.month)
            kept = (*kept[:3], *self.habits.since(index, index + 1, country, back))
        else:
            spent = self.spending.insert(index, t, amount)
            kept = self.habits.insert(index, t, counterparty, country, back)
        self._set_edge()
        values = (spent, kept, self.logins.features(t))
        first, second, third = (
            tuple(value if t - width >= horizon else None for value, width in zip(row, widths, strict=True))
            for row, widths in zip(values, WIDTHS, strict=True)
        )
        return first, second, third

    def _place(self, t: int, country: str | None) -> int:
        times, countries = self.times, self.habits.countries
        index = bisect_right(times, t)
        while index and times[index - 1] == t and (countries[index - 1] or "") > (country or ""):
            index -= 1
        return index

    def _prune(self) -> None:
        # By the newest transaction before the one that is coming: undoing that one must find all as it was.
        cutoff = self.times[-1] - RETENTION
        gone = bisect_right(self.times, cutoff)
        if gone:
            del self.times[:gone]
            self.spending.prune(gone, cutoff)
            self.habits.prune(gone)
            self.floor = max(self.floor, cutoff)
        self.limit = max(PRUNE_AT, 2 * len(self.times))
