"""What only the profile over DynamoDB has: several processes, expiry, hot entities, pages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from assay.adapters.aws import profile_log
from assay.adapters.aws.profile_items import AHEAD, KEPT, PENDING
from assay.features.profile import Profile
from assay.features.transaction import Login
from tests.contract.installations import SECOND, START, AwsInstallation, record, run, transaction

COUNT = "account_tx_count_1d"
MINUTE = 60


class Counted:
    """A client that notes how many items its queries gave."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.items: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def query(self, **arguments: Any) -> Any:
        answer = await self._client.query(**arguments)
        self.items.append(answer["Count"])
        return answer


def test_processes_see_what_others_have_under_way(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.process() as one, aws.process() as two:
            assert (await one.profile.observe("bank", transaction(1)))[COUNT] == 1.0
            seen = await two.profile.observe("bank", transaction(2))
            assert (seen[COUNT], seen["new_device_flag"]) == (2.0, 0.0)
            assert (await two.profile.observe("bank", transaction(2)))[COUNT] == 2.0, "its own counts once"
            await one.decisions.commit(record(transaction(1)))
            # This attempt comes after its decision: what is in the log already is not under way as well.
            await one.profile.observe("bank", transaction(1))
            assert (await two.profile.observe("bank", transaction(3)))[COUNT] == 3.0
            await two.profile.retract("bank", transaction(2))
            assert (await one.profile.observe("bank", transaction(4)))[COUNT] == 3.0

    run(scenario)


def test_of_two_at_the_same_time_one_sees_the_other(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.process() as one, aws.process() as two:
            for n in range(0, 20, 2):
                together = await asyncio.gather(
                    one.profile.observe("bank", transaction(n, f"a-{n}", seconds=0)),
                    two.profile.observe("bank", transaction(n + 1, f"a-{n}", seconds=0)),
                )
                assert max(features[COUNT] for features in together) == 2.0

    run(scenario)


def test_the_same_id_of_another_client_is_another_transaction(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.process() as stores:
            await stores.profile.observe("bank", transaction(1))
            assert (await stores.profile.observe("other", transaction(1)))[COUNT] == 2.0

    run(scenario)


def test_a_reservation_of_a_dead_process_counts_for_a_minute(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.process() as dead:
            await dead.profile.observe("bank", transaction(1))
        async with aws.process() as stores:
            for later, count in ((PENDING - 1, 2.0), (PENDING, 1.0)):
                aws.clock.now = START + later
                assert (await stores.profile.observe("bank", transaction(2)))[COUNT] == count

    run(scenario)


def test_everything_but_first_uses_expires(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.process() as stores:
            await stores.profile.observe("bank", transaction(1))
            await stores.decisions.commit(record(transaction(1)))
            await stores.profile.record_login("bank", Login("l", START, "a", True))
            await stores.profile.observe("bank", transaction(2))

    run(scenario)
    expiry = {item["sk"]["S"][:2] + item["pk"]["S"][:2]: item.get("expires_at") for item in aws.items("Profile")}
    assert {key for key, at in expiry.items() if at is None} == {"U#A#", "F#V#"}
    for kind, key in (("account", "L#A#"), ("device", "L#V#"), ("address", "L#I#"), ("counterparty", "L#C#")):
        assert int(expiry[key]["N"]) == (START + KEPT[kind]) // SECOND + 1  # type: ignore[index, literal-required]
    assert int(expiry["R#A#"]["N"]) == (START + PENDING) // SECOND + 1
    assert "EE#" in expiry


def test_what_may_have_expired_is_unknown_though_it_is_still_there(aws: AwsInstallation) -> None:
    """DynamoDB deletes up to two days late: until then the answer must be the same as after."""

    async def scenario() -> None:
        async with aws.process() as stores:
            await stores.decisions.commit(record(transaction(1)))
        for beyond, known in ((-SECOND, True), (SECOND, False)):
            aws.clock.now = START + SECOND + KEPT["account"] - AHEAD + beyond
            async with aws.process() as stores:
                probe = transaction(2, seconds=(aws.clock.now - START) / SECOND)
                features = await stores.profile.observe("bank", probe)
                assert (features["seconds_since_last_tx"] is not None) is known
                assert (features[COUNT], features["new_device_flag"], features["device_seen_before"]) == (1.0, 0.0, 1.0)

    run(scenario)


def test_of_a_hot_entity_short_windows_are_exact_and_long_ones_unknown(aws: AwsInstallation) -> None:
    """40 transactions, one a minute, of which 20 may be read: six minutes of those are too near the edge."""
    kept = 20
    plain = Profile()

    async def check(stores: Any, n: int) -> None:
        tx = transaction(n, seconds=n * MINUTE)
        aws.clock.now = tx.time
        found, expected = await stores.profile.observe("bank", tx), plain.observe(tx)
        unknown = {name for name, value in found.items() if value is None and expected[name] is not None}
        assert {name: found[name] for name in found if name not in unknown} == {
            name: expected[name] for name in expected if name not in unknown
        }
        assert found["tx_count_last_5m"] == min(n + 1, 5.0)
        if n > kept:
            assert {
                "tx_count_last_1h",
                COUNT,
                "account_tx_count_30d",
                "accounts_per_device",
                "accounts_per_ip_24h",
            } < unknown
            assert {"seconds_since_last_tx", "new_device_flag", "device_seen_before"}.isdisjoint(unknown)
        await stores.decisions.commit(record(tx))

    async def scenario() -> None:
        async with aws.process(max_rows=kept) as warm:
            for n in range(40):
                await check(warm, n)
        async with aws.process(max_rows=kept) as cold:
            await check(cold, 40)
            await check(cold, 41)

    run(scenario)


def test_an_event_ahead_of_its_arrival_is_not_taken_for_one_that_never_was(aws: AwsInstallation) -> None:
    """Five minutes ahead of the clock, and then pushed out of what may be read by later arrivals."""

    async def scenario() -> None:
        async with aws.process() as other, aws.process(max_rows=20) as stores:
            await other.decisions.commit(record(transaction(0, seconds=5 * MINUTE)))
            for n in range(1, 25):
                aws.clock.now = START + n * SECOND
                await other.decisions.commit(record(transaction(n, seconds=n)))
            probe = transaction(100, seconds=5 * MINUTE + 5)
            assert (await other.profile.observe("bank", probe))["tx_count_last_5m"] == 1 + 19 + 1
            assert (await stores.profile.observe("bank", probe))["tx_count_last_5m"] is None

    run(scenario)


def test_a_warm_process_reads_only_what_is_new(aws: AwsInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_log, "PAGE", 7)

    async def scenario() -> None:
        async with aws.process() as other:
            for n in range(30):
                aws.clock.now = START + n * MINUTE * SECOND
                await other.decisions.commit(record(transaction(n, seconds=n * MINUTE)))
            dynamodb = Counted(other.profile._log.client)  # type: ignore[attr-defined]
            stores = aws.stores(dynamodb, None)
            probe = transaction(100, seconds=30 * MINUTE)
            first = await stores.profile.observe("bank", probe)
            assert first[COUNT] == 31.0
            assert len(dynamodb.items) == 4 * 5 + 2, "in pages"
            dynamodb.items.clear()
            assert await stores.profile.observe("bank", probe) == first
            assert sorted(dynamodb.items) == [1, 1, 1, 2], "the last of each log, and the reservation"
            await other.decisions.commit(record(transaction(31, seconds=29 * MINUTE)))
            assert (await stores.profile.observe("bank", probe))[COUNT] == 32.0
            # Far too late for what was read: it reads further back, and says what there is to say.
            late = await stores.profile.observe("bank", transaction(101, seconds=-5 * 24 * 60 * MINUTE))
            assert late["account_tx_count_30d"] == 1.0

    run(scenario)


def test_what_lands_after_its_arrival_is_still_read(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.process() as one, aws.process() as two:
            aws.clock.now = START + 100 * SECOND
            await one.decisions.commit(record(transaction(1)))
            assert (await two.profile.observe("bank", transaction(9)))[COUNT] == 2.0
            aws.clock.now = START + 91 * SECOND  # its commit began before the other's, and ended after
            await one.decisions.commit(record(transaction(2)))
            aws.clock.now = START + 101 * SECOND
            assert (await two.profile.observe("bank", transaction(9)))[COUNT] == 3.0

    run(scenario)


def test_memory_is_bounded(aws: AwsInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_log, "REMEMBERED", 12)

    async def scenario() -> None:
        async with aws.process() as stores:
            for n in range(12):
                tx = transaction(n, f"a-{n % 6}")
                await stores.profile.observe("bank", tx)
                await stores.decisions.commit(record(tx))
                log = stores.profile._log  # type: ignore[attr-defined]
                held = sum(len(each.rows) + 1 for each in log._logs.values())
                assert held <= 12 + 4, "what a commit adds is counted when it is next read"
            features = await stores.profile.observe("bank", transaction(20, "a-0"))
            assert features[COUNT] == 3.0
            assert features["accounts_per_device"] == 6.0

    run(scenario)
