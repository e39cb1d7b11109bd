"""How often and how much an account pays: counts and means over windows that include the transaction."""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections.abc import Sequence

from assay.features.transaction import MONEY_SCALE
from assay.features.windows import DAY, HOUR, MINUTE, NEVER, drop, drop_until, step, within

MINUTES, WEEK, MONTH = 5 * MINUTE, 7 * DAY, 30 * DAY
WIDTHS = (MINUTES, HOUR, DAY, WEEK, MONTH)
HOURS_IN_WEEK = 168

Row = tuple[float | None, ...]
ROW_WIDTHS = (*WIDTHS[:2], *[7 * DAY] * 3, *[DAY] * 2, *[7 * DAY] * 2, *[30 * DAY] * 2)
"""The longest window behind each value of a row: tx_count_last_5m, tx_count_last_1h, tx_frequency_ratio,
avg_tx_amount_7d, amount_to_avg_ratio, then count and mean over 1, 7 and 30 days."""


class Spending:
    """Running sums beside the account's times, and the head of each window for the newest transaction.

    `sums[i]` is the sum of the amounts before index i, so a window's sum is one subtraction; an amount that is not
    known adds nothing there and its time stands in `unpriced`. Sums are Python integers: no window can overflow.
    """

    __slots__ = ("day", "hour", "minutes", "month", "sums", "times", "unpriced", "week")

    def __init__(self, times: array[int], amounts: Sequence[int | None]) -> None:
        """`times` is the account's own column, which the account keeps in order, before calling here."""
        self.times = times
        self.sums = [0]
        for amount in amounts:
            self.sums.append(self.sums[-1] + (amount or 0))
        self.unpriced = array("q", [time for time, amount in zip(times, amounts, strict=True) if amount is None])
        self.minutes = self.hour = self.day = self.week = self.month = 0
        self.seek()

    def append(self, t: int, amount: int | None) -> Row:
        """Count the newest transaction; its features."""
        times, sums = self.times, self.sums
        if amount is None:
            self.unpriced.append(t)
        sums.append(sums[-1] + (amount or 0))
        if times[self.minutes] <= t - MINUTES:
            self.minutes = step(times, self.minutes, t - MINUTES)
        if times[self.hour] <= t - HOUR:
            self.hour = step(times, self.hour, t - HOUR)
        if times[self.day] <= t - DAY:
            self.day = step(times, self.day, t - DAY)
        if times[self.week] <= t - WEEK:
            self.week = step(times, self.week, t - WEEK)
        if times[self.month] <= t - MONTH:
            self.month = step(times, self.month, t - MONTH)
        return self._row(t, amount, len(times), self.minutes, self.hour, self.day, self.week, self.month)

    def insert(self, index: int, t: int, amount: int | None) -> Row:
        """Count a transaction that the account has put at `index`, before later ones; its features."""
        sums, times = self.sums, self.times
        sums.insert(index + 1, sums[index])
        if amount is None:
            insort(self.unpriced, t)
        else:
            sums[index + 1 :] = [total + amount for total in sums[index + 1 :]]
        self.seek()
        return self._row(t, amount, bisect_right(times, t), *(bisect_right(times, t - width) for width in WIDTHS))

    def remove(self, index: int, t: int, amount: int | None) -> None:
        """Undo the counting of the transaction that the account has taken from `index`."""
        sums = self.sums
        if amount is None:
            drop(self.unpriced, t)
            del sums[index + 1]
        else:
            sums[index + 1 :] = [total - amount for total in sums[index + 2 :]]
        self.seek()

    def prune(self, gone: int, cutoff: int) -> None:
        """Follow the account, which has dropped its first `gone` times, all up to `cutoff`."""
        del self.sums[:gone]
        drop_until(self.unpriced, cutoff)
        self.minutes, self.hour, self.day = self.minutes - gone, self.hour - gone, self.day - gone
        self.week, self.month = self.week - gone, self.month - gone

    def seek(self) -> None:
        """Put every head where the newest transaction wants it."""
        times = self.times
        newest = times[-1] if times else NEVER
        self.minutes, self.hour, self.day, self.week, self.month = (
            bisect_right(times, newest - width) for width in WIDTHS
        )

    def _row(
        self, t: int, amount: int | None, high: int, minutes: int, hour: int, day: int, week: int, month: int
    ) -> Row:
        sums = self.sums
        total = sums[high]
        in_day, in_week, in_month = priced = high - day, high - week, high - month
        if self.unpriced:
            priced = self._priced(t, priced)
        mean, ratio = _against_earlier(amount, total - sums[week], priced[1])
        in_hour = high - hour
        return (
            float(high - minutes),
            float(in_hour),
            in_hour / max(1.0, (in_week - 1) / HOURS_IN_WEEK),
            mean,
            ratio,
            float(in_day),
            (total - sums[day]) / (priced[0] * MONEY_SCALE) if priced[0] else None,
            float(in_week),
            (total - sums[week]) / (priced[1] * MONEY_SCALE) if priced[1] else None,
            float(in_month),
            (total - sums[month]) / (priced[2] * MONEY_SCALE) if priced[2] else None,
        )

    def _priced(self, t: int, counts: tuple[int, int, int]) -> tuple[int, int, int]:
        day, week, month = (
            count - within(self.unpriced, t - width, t) for count, width in zip(counts, WIDTHS[2:], strict=True)
        )
        return day, week, month


def _against_earlier(amount: int | None, total: int, priced: int) -> tuple[float | None, float | None]:
    """Mean of the week's earlier amounts, and `amount` over it; `total` and `priced` still include `amount`."""
    if amount is None:
        return (total / (priced * MONEY_SCALE) if priced else None), None
    earlier, count = total - amount, priced - 1
    if not count:
        earlier, count = amount, 1
    return earlier / (count * MONEY_SCALE), (amount * count / earlier if earlier else None)
