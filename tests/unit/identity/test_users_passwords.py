import asyncio
import os
import threading

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from assay.problems import Problem
from functions.users import passwords
from functions.users.passwords import HASHER, MAX_WAITING, NICENESS, Passwords, check

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
EMAIL = "ana.maria.lopez@bank.example"
PASSWORD = "correct horse battery"


def test_parameters_are_not_below_what_is_recommended() -> None:
    assert (HASHER.time_cost, HASHER.memory_cost, HASHER.parallelism) == (2, 19_456, 1)
    assert HASHER.hash(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "length"),
        ("x" * 129, "length"),
        ("\ufdfa" * 100, "length"),  # one character that stands for eighteen
        ("\uff41\uff42\uff43" * 3, "length"),
        (EMAIL.upper(), "email"),
        ("ana.maria.lopez", "email"),
        ("a" * 20, "repetitive"),
        ("Aa" * 10, "repetitive"),
        ("abcabcabcabcabc", "repetitive"),
    ],
)
def test_what_is_no_password(password: str, code: str) -> None:
    with pytest.raises(Problem) as problem:
        check(password, EMAIL, "password")
    assert (problem.value.status, problem.value.errors[0].field, problem.value.errors[0].code) == (
        422,
        "password",
        code,
    )
    assert password not in problem.value.to_json().decode()


@pytest.mark.parametrize("password", [PASSWORD, "пароль из слов", "1234 5678 90ab", " leading and trailing "])
def test_no_rule_says_what_a_password_is_made_of(password: str) -> None:
    check(password, EMAIL, "password")


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=128))
def test_any_text_is_hashed_and_verified(password: str) -> None:
    async def scenario() -> None:
        hashing = Passwords(QUICK)
        kept = await hashing.hash(password)
        assert await hashing.verify(kept, password)
        assert not await hashing.verify(kept, password + "x")
        assert not await hashing.verify(None, password)

    asyncio.run(scenario())


def test_what_is_kept_of_nobody_or_damaged_lets_nobody_in() -> None:
    async def scenario() -> None:
        hashing = Passwords(QUICK)
        for kept in (None, "", "x", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$"):
            assert not await hashing.verify(kept, PASSWORD)

    asyncio.run(scenario())


def test_older_parameters_are_seen() -> None:
    assert Passwords().is_outdated(QUICK.hash(PASSWORD))
    assert not Passwords().is_outdated(HASHER.hash(PASSWORD))


def test_who_comes_when_too_many_wait_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        hashing, gate = Passwords(QUICK), threading.Event()
        monkeypatch.setattr(passwords, "_normal", lambda password: gate.wait(60) and password)
        waiting = [asyncio.create_task(hashing.hash(PASSWORD)) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as problem:
            await hashing.hash(PASSWORD)
        assert (problem.value.status, "Retry-After" in problem.value.headers) == (503, True)
        gate.set()
        assert len(set(await asyncio.gather(*waiting))) == MAX_WAITING
        assert await hashing.hash(PASSWORD)

    asyncio.run(scenario())


def test_hashing_gives_way_and_this_thread_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> int:
        found: list[int] = []

        def note(password: str) -> str:
            found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return password

        monkeypatch.setattr(passwords, "_normal", note)
        await Passwords(QUICK).hash(PASSWORD)
        return found[0]

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert asyncio.run(scenario()) == max(before, NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
