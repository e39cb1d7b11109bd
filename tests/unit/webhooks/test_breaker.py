"""The circuit breaker, against the plain description of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.webhooks.breaker import Breaker

MOST = 8


def test_it_opens_after_failures_in_a_row_and_tries_one_after_the_wait() -> None:
    breaker = Breaker(threshold=3, cooldown=10)
    for now in (1, 2):
        breaker = breaker.failed(now)
        assert breaker.allows(now, MOST) == MOST
    breaker = breaker.failed(3)
    assert [breaker.allows(now, MOST) for now in (3, 12, 13, 50)] == [0, 0, 1, 1]
    assert breaker.succeeded().allows(13, MOST) == MOST


def test_a_failed_trial_opens_it_again_at_once() -> None:
    breaker = Breaker(threshold=1, cooldown=10).failed(0).failed(10)
    assert [breaker.allows(now, MOST) for now in (10, 19, 20)] == [0, 0, 1]


@given(st.integers(1, 5), st.integers(0, 20), st.lists(st.tuples(st.booleans(), st.integers(0, 30))))
def test_it_is_what_the_last_answers_make_it(threshold: int, cooldown: int, answers: list[tuple[bool, int]]) -> None:
    breaker, now, failures, last = Breaker(threshold, cooldown), 0, 0, 0
    for good, passed in answers:
        now += passed
        breaker = breaker.succeeded() if good else breaker.failed(now)
        failures = 0 if good else failures + 1
        last = last if good else now
        is_open = failures >= threshold
        expected = MOST if not is_open else int(now >= last + cooldown)
        assert breaker.allows(now, MOST) == expected
        assert breaker.allows(now + cooldown, MOST) == (1 if is_open else MOST)
