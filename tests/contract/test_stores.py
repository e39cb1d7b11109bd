"""One suite for both: the profile and the decisions, over SQLite and over DynamoDB."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from assay.errors import AlreadyDecided, AssayError, StorageError
from assay.features.profile import Profile
from assay.features.transaction import Login
from assay.features.windows import LATENESS
from assay.ports import StoredDecision
from assay.schemas.stages import StandInUsage
from tests.contract.installations import (
    START,
    AwsInstallation,
    Installation,
    SqliteInstallation,
    record,
    run,
    transaction,
)
from tests.unit.features import streams

COUNT = "account_tx_count_1d"


def test_a_decision_is_found_again_with_the_same_bytes(installation: Installation) -> None:
    async def scenario() -> None:
        verdict = bytes(range(256)) + "é".encode()
        async with installation.process() as stores:
            assert await stores.decisions.find("bank", "t-1") is None
            await stores.decisions.commit(record(transaction(1), verdict=verdict))
        async with installation.process() as stores:
            assert await stores.decisions.find("bank", "t-1") == StoredDecision(b"print", verdict)
            assert await stores.decisions.find("other", "t-1") is None
            assert await stores.decisions.find("bank", "t-2") is None

    run(scenario)


def test_a_decision_without_an_account_counts_for_nobody(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.process() as stores:
            anonymous = transaction(1, account=None)
            await stores.profile.observe("bank", anonymous)
            await stores.decisions.commit(record(anonymous))
            await stores.profile.retract("bank", transaction(3, account=None))
            assert await stores.decisions.find("bank", "t-1") is not None
            features = await stores.profile.observe("bank", transaction(2))
            assert features["device_seen_before"] == 0.0
            assert features["accounts_per_ip_24h"] == 1.0
        assert len(await installation.events()) == 1

    run(scenario)


def test_a_failed_commit_leaves_nothing(installation: Installation) -> None:
    """The second is refused for its id; nothing of what else is in it may stay."""

    async def scenario() -> None:
        again = transaction(1, account="other", device="new", address="198.51.100.7", counterparty="new")
        async with installation.process() as stores:
            await stores.decisions.commit(record(transaction(1)))
            await stores.profile.observe("bank", again)
            with pytest.raises(AssayError) as refused:
                await stores.decisions.commit(record(again, StandInUsage(count=1, amount=2.5), b"another"))
            assert isinstance(
                refused.value, AlreadyDecided if isinstance(installation, AwsInstallation) else StorageError
            )
            await stores.profile.retract("bank", again)
        async with installation.process() as stores:
            found = await stores.decisions.find("bank", "t-1")
            assert found is not None
            assert found.verdict == b'"t-1"'
            assert await stores.decisions.stand_in_usage("other") == StandInUsage()
            probe = transaction(2, "other", device="new", address="198.51.100.7", counterparty="new")
            features = await stores.profile.observe("bank", probe)
            assert features == Profile().observe(probe)
        assert await installation.events() == {record(transaction(1)).event}

    run(scenario)


def test_of_many_writers_of_one_transaction_one_wins(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.process() as stores:

            async def write(writer: int) -> bytes | None:
                verdict = b"verdict of %d" % writer
                try:
                    await stores.decisions.commit(record(transaction(1), verdict=verdict))
                except AssayError:
                    return None
                return verdict

            won = [verdict for verdict in await asyncio.gather(*map(write, range(16))) if verdict]
            found = await stores.decisions.find("bank", "t-1")
            assert found is not None
            assert won == [found.verdict]
            features = await stores.profile.observe("bank", transaction(2))
            assert features[COUNT] == 2.0
        assert len(await installation.events()) == 1

    run(scenario)


def test_writers_together_lose_and_double_nothing(installation: Installation) -> None:
    writers, each = (16, 12) if isinstance(installation, SqliteInstallation) else (4, 3)  # moto takes one at a time

    async def scenario() -> None:
        async with installation.process() as stores:

            async def write(writer: int) -> None:
                for n in range(each):
                    tx = transaction(writer * each + n, account=f"a-{writer % 4}", seconds=n)
                    await stores.profile.observe("bank", tx)
                    await stores.decisions.commit(record(tx))

            await asyncio.gather(*map(write, range(writers)))
        total = writers * each
        events = await installation.events()
        assert events == {record(transaction(n)).event for n in range(total)}
        async with installation.process() as stores:
            for n in range(total):
                assert await stores.decisions.find("bank", f"t-{n}") is not None
            features = await stores.profile.observe("bank", transaction(1_000, "a-0", seconds=20))
            assert features[COUNT] == writers // 4 * each + 1
            assert features["accounts_per_device"] == 4.0

    run(scenario)


def test_what_was_retracted_was_never_counted(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.process() as stores:
            before = await stores.profile.observe("bank", transaction(1))
            await stores.profile.retract("bank", transaction(1))
            assert await stores.profile.observe("bank", transaction(1)) == before
            await stores.profile.retract("bank", transaction(1))
            await stores.profile.retract("bank", transaction(1))
            assert await stores.profile.observe("bank", transaction(2)) == Profile().observe(transaction(2))

    run(scenario)


def test_a_transaction_under_way_counts_for_the_next_one(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.process() as stores:
            await stores.profile.observe("bank", transaction(1))
            second = await stores.profile.observe("bank", transaction(2))
            assert second[COUNT] == 2.0
            assert second["new_device_flag"] == 0.0
            await stores.decisions.commit(record(transaction(1)))
            third = await stores.profile.observe("bank", transaction(3))
            assert third[COUNT] == 3.0

    run(scenario)


def test_a_repeated_login_counts_once(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.process() as stores:
            login = Login("l-1", START, "a", False)
            together = await asyncio.gather(*(stores.profile.record_login("bank", login) for _ in range(5)))
            assert sorted(together) == [False] * 4 + [True]
            assert (await stores.profile.observe("bank", transaction(10)))["failed_login_count_last_1h"] == 1.0
            assert await stores.profile.record_login("bank", login) is False
            assert await stores.profile.record_login("other", login) is True
        async with installation.process() as stores:
            assert await stores.profile.record_login("bank", login) is False
            features = await stores.profile.observe("bank", transaction(11))
            assert features["failed_login_count_last_1h"] == 2.0

    run(scenario)


def test_stand_in_usage_adds_up_and_ends_with_a_full_decision(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.process() as stores:
            assert await stores.decisions.stand_in_usage("a") == StandInUsage()
            await stores.decisions.commit(record(transaction(1), StandInUsage(count=1, amount=0.1)))
            await stores.decisions.commit(record(transaction(2), StandInUsage(count=2, amount=0.1 + 0.2)))
        async with installation.process() as stores:
            assert await stores.decisions.stand_in_usage("a") == StandInUsage(count=2, amount=0.1 + 0.2)
            await stores.decisions.commit(record(transaction(3)))
            assert (await stores.decisions.stand_in_usage("a")).count == 2
            await stores.decisions.commit(record(transaction(4), StandInUsage()))
            assert await stores.decisions.stand_in_usage("a") == StandInUsage()
            await stores.decisions.commit(record(transaction(5), StandInUsage(count=1, amount=1e15)))
        async with installation.process() as stores:
            assert await stores.decisions.stand_in_usage("a") == StandInUsage(count=1, amount=1e15)

    run(scenario)


def plan(seed: int, late: bool) -> list[streams.Step]:
    """The steps of a random stream: about the size of gap that windows end at, and now and then a late one."""
    rng = random.Random(seed)
    steps = []
    for _ in range(45):
        delta = rng.choice(streams.STEPS) + rng.choice((-1, 0, 0, 1))
        if late and rng.random() < 0.3:
            delta = -delta
        body = {
            "account": rng.choice("aaab"),
            "amount": rng.choice((rng.randrange(1, 10**6), rng.randrange(1, 10**6), 10**16, None, 0)),
            "country": rng.choice(("GB", "GB", "FR", "US", None)),
            "device": rng.choice(("d", "e", None)),
            "address": rng.choice(("192.0.2.1", "2001:db8::1", None)),
            "counterparty": rng.choice(("c", "c", "k", None)),
        }
        kind = rng.choice(("tx", "tx", "tx", "login"))
        steps.append(streams.Step(kind, delta if late else max(0, delta), body, rng.random() < 0.3))
    return steps


def differences(found: dict, expected: dict, lateness: int) -> dict:
    """Features that are not the same. What is later than LATENESS may be unknown where all is kept for ever."""
    return {
        name: (found[name], value)
        for name, value in expected.items()
        if found[name] != value and not (found[name] is None and lateness > LATENESS)
    }


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_features_are_those_of_a_profile_that_remembers_everything(
    aws: AwsInstallation, sqlite: SqliteInstallation, seed: int, late: bool
) -> None:
    """The same stream to both stores and to a plain profile, with retracts, and with processes that end in between."""
    rng = random.Random(seed)

    async def scenario() -> None:
        plain = Profile()
        async with AsyncExitStack() as ours:
            stores = []
            for kind, event in streams.events(plan(seed, late)):
                if not stores or rng.random() < 0.1:
                    await ours.aclose()
                    stores = [await ours.enter_async_context(each.process()) for each in (aws, sqlite)]
                aws.clock.now = max(aws.clock.now, event.time)
                if kind == "login":
                    plain.record_login(event)
                    assert [await each.profile.record_login("bank", event) for each in stores] == [True, True]
                    continue
                expected = plain.observe(event)
                lateness = aws.clock.now - event.time
                for each in stores:
                    found = await each.profile.observe("bank", event)
                    assert list(found) == list(expected)
                    assert differences(found, expected, lateness) == {}
                if rng.random() < 0.15:
                    plain.retract(event)
                    for each in stores:
                        await each.profile.retract("bank", event)
                else:
                    for each in stores:
                        await each.decisions.commit(record(event))

    aws.clock.now = streams.START
    run(scenario)
