"""Work and memory that do not grow with the history, counted without a clock."""

from __future__ import annotations

import sys
from collections import Counter

from assay.features.cache import Generations
from assay.features.profile import Profile
from assay.features.transaction import Login
from tests.unit.features.streams import DAY, HOUR, SECOND, START, transaction


def test_cache_keeps_what_was_touched_and_not_more_than_its_capacity():
    loaded = []
    cache = Generations(lambda key, t: loaded.append(key) or [key], capacity=10)
    for number in range(1_000):
        cache.get(number, 0)
        cache.get("often", 0)
        assert cache.peek(number) == [number]
    assert Counter(loaded)["often"] == 1
    kept = sum(cache.peek(number) is not None for number in range(1_000))
    assert 5 <= kept + 1 <= 10
    assert cache.peek("never") is None


def lines_run(call):
    """How many lines of Python the call runs: work, without a clock."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return count


def work_at(count, interval):
    """Mean work of an account's transactions around the `count`-th, all its windows being on the move by then."""
    profile, places = Profile(), ("GB", "GB", "FR")

    def observe(number):
        fields = {"device": "d", "address": "i", "counterparty": f"c{number % 7}", "country": places[number % 3]}
        return profile.observe(transaction(number, START + number * interval, **fields))

    for number in range(count):
        observe(number)
    return sum(lines_run(lambda number=number: observe(number)) for number in range(count, count + 42)) / 42


def test_work_does_not_grow_with_the_history():
    # 50 days of history either way: a hundred transactions, or seventy thousand.
    assert work_at(72_000, interval=60 * SECOND) <= 1.2 * work_at(100, interval=12 * HOUR)


def test_a_late_event_costs_what_it_is_late_by():
    def cost(history):
        profile = Profile()
        for number in range(history):
            profile.observe(transaction(number, START + number * SECOND, country="GB", counterparty="c", device="d"))
        late = transaction("late", START + (history - 3) * SECOND + 1, country="GB", counterparty="c", device="d")
        return lines_run(lambda: profile.observe(late))

    assert cost(5_000) <= 1.2 * cost(100)


def test_memory_is_bounded_by_the_windows():
    profile = Profile()
    for number in range(5_000):
        tx = transaction(number, START + number * DAY // 4, country="GB", counterparty="c", device="d")
        profile.observe(tx)
        profile.confirm_fraud(tx)
        profile.record_login(Login(str(number), tx.time, "a", success=False))
    account = profile._accounts.peek("a")
    assert len(account.times) <= 2 * 37 * 4 + 64
    assert len(account.times) == len(account.habits.countries) == len(account.spending.sums) - 1
    assert len(profile._devices.peek("d").times) <= 2 * 37 * 4 + 64
    assert len(account.logins.failures) <= 2 * 37 * 4 + 64
    assert len(profile._counterparties.peek("c").times) <= 2 * 44 * 4 + 64
    assert len(profile._counterparties.peek("c").frauds) <= 2 * 44 * 4 + 64
