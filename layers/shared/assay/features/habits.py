"""With whom and where an account pays: distinct counterparties and countries, the usual country, travel."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence

from assay.features.geography import speed_kmh
from assay.features.usual import MONTH, UsualCountry
from assay.features.windows import DAY, NEVER, SECOND, distinct, give, take, turn

Row = tuple[float | None, ...]
"""country_mismatch_flag, distinct_counterparties_24h, distinct_countries_24h, seconds_since_last_tx,
travel_speed_kmh."""
ROW_WIDTHS = (MONTH, DAY, DAY, 0, 0)
"""The longest window behind each value of a row."""


class Habits:
    """Counterparty and country beside the account's times, with the counts of the newest transaction's windows.

    Transactions of one moment stand in the order of their countries, so that "the previous one" does not depend on the
    order in which they came. `seen_in` is the newest country, `seen_at` its time.
    """

    __slots__ = (
        "counterparties",
        "countries",
        "day",
        "day_counterparties",
        "day_countries",
        "seen_at",
        "seen_in",
        "times",
        "usual",
    )

    def __init__(
        self, times: array[int], counterparties: Sequence[str | None], countries: Sequence[str | None]
    ) -> None:
        """`times` is the account's own column, which the account keeps in order, before calling here."""
        self.times = times
        self.counterparties = list(counterparties)
        self.countries = list(countries)
        self.day = len(times)
        self.day_counterparties: dict[str, int] = {}
        self.day_countries: dict[str, int] = {}
        self.seen_at = NEVER
        self.seen_in = ""
        self.usual = UsualCountry(times, self.countries)
        self._move_back()
        self._look_back()

    def append(self, t: int, counterparty: str | None, country: str | None, day: int, month: int) -> Row:
        """Count the newest transaction, whose day and 30 days begin at these indices; its features."""
        times, near, places = self.times, self.day_counterparties, self.day_countries
        self.counterparties.append(counterparty)
        self.countries.append(country)
        turn(self.counterparties, near, self.day, day)
        turn(self.countries, places, self.day, day)
        self.day = day
        previous = times[-2] if len(times) > 1 else None
        since = None if previous is None else (t - previous) / SECOND
        speed = None
        if country is not None:
            if previous is not None and self.seen_at > previous - MONTH:
                speed = speed_kmh(self.seen_in, country, t - self.seen_at)
            self.seen_at, self.seen_in = t, country
        return self.usual.append(t, country, month), float(len(near)), float(len(places)), since, speed

    def insert(self, index: int, t: int, counterparty: str | None, country: str | None, horizon: int) -> Row:
        """Count a transaction that the account has put at `index`, before later ones; its features.

        What was at or before `horizon` is not looked at.
        """
        times = self.times
        self.counterparties.insert(index, counterparty)
        self.countries.insert(index, country)
        if t > times[-1] - DAY:
            give(self.day_counterparties, counterparty)
            give(self.day_countries, country)
        else:
            self.day += 1
        if country is not None and (t, country) > (self.seen_at, self.seen_in):
            self.seen_at, self.seen_in = t, country
        low, high = bisect_right(times, t - DAY), bisect_right(times, t)
        return (
            self.usual.insert(index, high, country),
            float(distinct(self.counterparties, self.day_counterparties, self.day, low, high)),
            float(distinct(self.countries, self.day_countries, self.day, low, high)),
            *self.since(index, high, country, horizon),
        )

    def remove(self, index: int, t: int, counterparty: str | None, country: str | None) -> None:
        """Undo the counting of the transaction that the account has taken from `index`."""
        del self.counterparties[index], self.countries[index]
        if index < self.day:
            self.day -= 1
        else:
            take(self.day_counterparties, counterparty)
            take(self.day_countries, country)
        self.usual.remove(index, t, country)
        self._move_back()
        if t == self.seen_at and country == self.seen_in:
            self._look_back()

    def prune(self, gone: int) -> None:
        """Follow the account, which has dropped its first `gone` times."""
        del self.counterparties[:gone], self.countries[:gone]
        self.day -= gone
        self.usual.month -= gone

    def _move_back(self) -> None:
        """Bring the head back to the newest transaction, after a newer one is gone, and count what comes in again."""
        day = bisect_right(self.times, (self.times[-1] if self.times else NEVER) - DAY)
        for index in range(day, self.day):
            give(self.day_counterparties, self.counterparties[index])
            give(self.day_countries, self.countries[index])
        self.day = day

    def _look_back(self) -> None:
        """Find the newest transaction with a country."""
        self.seen_at, self.seen_in = NEVER, ""
        for index in reversed(range(len(self.times))):
            country = self.countries[index]
            if country is not None:
                self.seen_at, self.seen_in = self.times[index], country
                break

    def since(self, index: int, high: int, country: str | None, horizon: int) -> tuple[float | None, float | None]:
        """(seconds since the previous transaction, speed from the previous country) of the one at `index`.

        `high` is the first index of a later one; what was at or before `horizon` is not looked at.
        """
        times, countries, t = self.times, self.countries, self.times[index]
        others = (at for at in reversed(range(high)) if at != index)
        previous = next(others, None)
        if previous is None or times[previous] <= horizon:
            return None, None
        since = (t - times[previous]) / SECOND
        if country is None:
            return since, None
        at: int | None = previous
        after = max(times[previous] - MONTH, horizon)
        while at is not None and times[at] > after:
            place = countries[at]
            if place is not None:
                return since, speed_kmh(place, country, t - times[at])
            at = next(others, None)
        return since, None
