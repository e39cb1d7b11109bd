"""How many mails a storm becomes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assay.alerts.windows import Limits, Window, place

MINUTE = 60_000_000
LIMITS = Limits(5, 5 * MINUTE)


def mails(moments: list[int], limits: Limits = LIMITS) -> tuple[int, int]:
    """Mails about one alert, and digests."""
    window, single, digests = None, 0, set()
    for moment in moments:
        window, alone = place(window, limits, moment)
        single += alone
        if not alone:
            digests.add(window.start)
    return single, len(digests)


def test_a_quiet_day_has_a_mail_per_alert() -> None:
    assert mails([n * 2 * MINUTE for n in range(200)]) == (200, 0)


def test_a_storm_has_a_few_mails_however_long_it_takes() -> None:
    for minutes in (0, 1, 4, 5, 6, 15, 60, 120):
        single, digests = mails([n * minutes * MINUTE // 1_000 for n in range(1_000)])
        assert single == 5
        assert single + digests <= 10, minutes


def test_after_a_storm_mails_are_as_before() -> None:
    storm = [n * 1_000 for n in range(1_000)]
    later = [60 * MINUTE + n * MINUTE for n in range(4)]
    assert mails(storm + later) == (9, 1)


def test_no_mail_of_its_own_when_none_is_allowed() -> None:
    assert mails([0, 1, 2], Limits(0, MINUTE)) == (0, 1)


def test_a_clock_that_goes_back_begins_anew() -> None:
    window, alone = place(Window(1_000 * MINUTE, 1_005 * MINUTE, mails=0, digested=3), LIMITS, 0)
    assert alone and window == Window(0, 5 * MINUTE, mails=4)


@given(st.lists(st.integers(0, 300 * MINUTE), max_size=300), st.integers(0, 10), st.integers(1, 90))
def test_every_alert_is_counted_once_and_no_window_has_too_many(moments: list[int], allowed: int, minutes: int) -> None:
    limits = Limits(allowed, minutes * MINUTE)
    windows: dict[int, tuple[int, Window]] = {}
    window = None
    for moment in sorted(moments):
        window, alone = place(window, limits, moment)
        assert window.start <= moment < window.end
        before, _ = windows.get(window.start, (0, window))
        windows[window.start] = (before + alone, window)
    for single, last in windows.values():
        assert single <= allowed
        assert last.mails >= 0
    assert sum(single + last.digested for single, last in windows.values()) == len(moments)
    ends = sorted((last.start, last.end) for _, last in windows.values())
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))
