import asyncio
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems import Problem
from functions.users.throttle import ACCOUNT, ADDRESS, HOUR_S, PAIR, QUARTER_S, REGISTRATIONS, Throttle, network

ACCOUNTS, ADDRESSES = ("a@x.example", "b@x.example", "c@x.example"), tuple(f"192.0.2.{n}" for n in range(30))
GUESSES = st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(ADDRESSES), st.booleans()), max_size=300)
ATTACK = st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(ADDRESSES)), min_size=60, max_size=400)


class Attempts:
    """A store in memory, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.counters: Counter[tuple[str, int, int]] = Counter()
        self.known: dict[str, float] = {}

    async def count(self, key: str, window_s: int) -> int:
        self.counters[key, window_s, int(self.now) // window_s] += 1
        return self.counters[key, window_s, int(self.now) // window_s]

    async def take_back(self, key: str, window_s: int) -> None:
        self.counters[key, window_s, int(self.now) // window_s] -= 1

    async def remember(self, key: str, for_s: int) -> None:
        self.known[key] = self.now + for_s

    async def remembers(self, key: str) -> bool:
        return self.known.get(key, 0.0) > self.now


def throttle(attempts: Attempts) -> Throttle:
    return Throttle(attempts, lambda: attempts.now)


async def let_in(throttle: Throttle, account: str, address: str, right: bool = False) -> bool:
    """Whether the password was looked at."""
    try:
        guess = await throttle.guess(account, address)
    except Problem as problem:
        assert (problem.status, 1 <= int(problem.headers["Retry-After"]) <= QUARTER_S) == (429, True)
        return False
    if right:
        await guess.was_right()
    return True


@given(GUESSES)
def test_wrong_passwords_that_are_looked_at_are_few(guesses: list[tuple[str, str, bool]]) -> None:
    async def scenario() -> None:
        subject, wrong, familiar = throttle(Attempts()), defaultdict(Counter[object]), set()
        for account, address, right in guesses:
            if await let_in(subject, account, address, right):
                if right:
                    familiar.add((account, address))
                    continue
                wrong["pair"][account, address] += 1
                wrong["address"][address] += 1
                wrong["account"][account] += (account, address) not in familiar
        assert max(wrong["pair"].values(), default=0) <= PAIR.most
        assert max(wrong["address"].values(), default=0) <= ADDRESS.most
        assert max(wrong["account"].values(), default=0) <= ACCOUNT.most

    asyncio.run(scenario())


@given(ATTACK)
def test_an_owner_at_a_familiar_address_is_let_in_whoever_guesses_elsewhere(attack: list[tuple[str, str]]) -> None:
    async def scenario() -> None:
        subject, home = throttle(Attempts()), "203.0.113.7"
        for account in ACCOUNTS:
            assert await let_in(subject, account, home, right=True)
        for number, (account, address) in enumerate(attack):
            await let_in(subject, account, address)
            if number % 20 == 0:
                assert await let_in(subject, account, home, right=True)

    asyncio.run(scenario())


@given(st.integers(1, 300))
def test_right_passwords_use_nothing_up(times: int) -> None:
    async def scenario() -> None:
        attempts = Attempts()
        subject = throttle(attempts)
        for _ in range(times):
            assert await let_in(subject, ACCOUNTS[0], ADDRESSES[0], right=True)
        assert set(attempts.counters.values()) == {0}

    asyncio.run(scenario())


def test_a_window_ends_and_an_address_is_forgotten() -> None:
    async def scenario() -> None:
        attempts = Attempts()
        subject = throttle(attempts)
        assert await let_in(subject, "a", "here", right=True)
        for n in range(ACCOUNT.most):
            assert await let_in(subject, "a", f"there-{n}")
        assert await let_in(subject, "a", "here")
        assert not await let_in(subject, "a", "elsewhere")
        attempts.now += QUARTER_S
        assert await let_in(subject, "a", "elsewhere")
        attempts.now += 31 * 86_400
        for n in range(ACCOUNT.most):
            assert await let_in(subject, "a", f"there-{n}")
        assert not await let_in(subject, "a", "here")

    asyncio.run(scenario())


def test_an_address_that_is_refused_does_not_use_up_what_others_share() -> None:
    async def scenario() -> None:
        subject = throttle(Attempts())
        for _ in range(100):
            await let_in(subject, "a", "attacker")
        for n in range(ACCOUNT.most - PAIR.most):
            assert await let_in(subject, "a", f"other-{n}")

    asyncio.run(scenario())


def test_what_was_not_looked_at_is_taken_back() -> None:
    async def scenario() -> None:
        attempts = Attempts()
        await (await throttle(attempts).guess("a", "here")).take_back()
        assert set(attempts.counters.values()) == {0}
        assert not attempts.known

    asyncio.run(scenario())


def test_registrations_are_counted_by_the_hour() -> None:
    async def scenario() -> None:
        attempts = Attempts()
        subject = throttle(attempts)
        for _ in range(REGISTRATIONS.most):
            await subject.registration("here")
        with pytest.raises(Problem) as problem:
            await subject.registration("here")
        assert problem.value.status == 429
        await subject.registration("there")
        attempts.now += HOUR_S
        await subject.registration("here")

    asyncio.run(scenario())


def test_keys_tell_nothing() -> None:
    async def scenario() -> None:
        attempts = Attempts()
        await let_in(throttle(attempts), "ana@bank.example", "203.0.113.7", right=True)
        keys = [key for key, *_ in attempts.counters] + [*attempts.known]
        assert all(len(key) == 64 and int(key, 16) for key in keys)
        assert len(set(keys)) == 4

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_whom_an_address_stands_for(address: str | None, expected: str) -> None:
    assert network(address) == expected
