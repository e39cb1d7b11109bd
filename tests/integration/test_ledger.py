import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.adapters.sqlite.schema import SCHEMA_VERSION
from assay.errors import StorageError
from assay.features.transaction import Login, Transaction
from assay.ports import DecisionRecord, StoredDecision
from assay.schemas.stages import StandInUsage

NOW = datetime(2026, 3, 1, tzinfo=UTC)
START = int(NOW.timestamp() * 1e6)


def transaction(n: int, account: str | None = "a", seconds: int | None = None) -> Transaction:
    return Transaction(
        transaction_id=f"t-{n}",
        time=START + (n if seconds is None else seconds) * 1_000_000,
        account=account,
        amount=100_000 + n,
        currency="EUR",
        channel="web",
        auth_method="otp",
        country="DE",
        device="d",
        address="192.0.2.1",
        counterparty="c",
    )


def record(tx: Transaction, stand_in: StandInUsage | None = None) -> DecisionRecord:
    return DecisionRecord("bank", tx.transaction_id, b"print", b"{}", NOW, tx, b'{"event":1}', stand_in)


def with_ledger(path: Path, scenario: Callable[[SqliteLedger], Awaitable[object]]) -> object:
    async def run() -> object:
        ledger = SqliteLedger(path)
        try:
            return await scenario(ledger)
        finally:
            await ledger.close()

    return asyncio.run(run())


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "assay.db"


def test_a_decision_is_found_again_after_a_restart(database: Path) -> None:
    async def commit(ledger: SqliteLedger) -> None:
        await SqliteDecisionStore(ledger).commit(record(transaction(1)))

    async def find(ledger: SqliteLedger) -> list[StoredDecision | None]:
        store = SqliteDecisionStore(ledger)
        return [await store.find("bank", "t-1"), await store.find("other", "t-1"), await store.find("bank", "t-2")]

    with_ledger(database, commit)
    assert with_ledger(database, find) == [StoredDecision(b"print", b"{}"), None, None]


def test_the_same_transaction_cannot_be_committed_twice(database: Path) -> None:
    async def scenario(ledger: SqliteLedger) -> int:
        store = SqliteDecisionStore(ledger)
        await store.commit(record(transaction(1)))
        with pytest.raises(StorageError):
            await store.commit(record(transaction(1)))
        return ledger.reader.execute("SELECT count(*) FROM outbox").fetchone()[0]

    assert with_ledger(database, scenario) == 1


def test_a_restarted_profile_answers_as_one_that_never_stopped(database: Path) -> None:
    async def first(ledger: SqliteLedger) -> None:
        profile, decisions = SqliteProfileStore(ledger), SqliteDecisionStore(ledger)
        for n in range(30):
            tx = transaction(n, account=f"a-{n % 3}", seconds=n * 7_000)
            await profile.observe("bank", tx)
            await decisions.commit(record(tx))
        for n in range(4):
            assert await profile.record_login("bank", Login(f"l-{n}", START + 200_000_000_000 + n, "a-0", n == 3))

    async def same(ledger: SqliteLedger) -> list[object]:
        profile = SqliteProfileStore(ledger)
        return [await profile.observe("bank", transaction(100 + n, f"a-{n}", 210_000 + n)) for n in range(3)]

    async def never_stopped(ledger: SqliteLedger) -> list[object]:
        await first(ledger)
        profile = SqliteProfileStore(ledger, capacity=64)
        return [await profile.observe("bank", transaction(100 + n, f"a-{n}", 210_000 + n)) for n in range(3)]

    with_ledger(database, first)
    after = with_ledger(database, same)
    assert after == with_ledger(database.with_name("other.db"), never_stopped)
    assert after[0]["account_tx_count_7d"] == 11.0  # type: ignore[index]
    assert after[0]["new_device_flag"] == 0.0  # type: ignore[index]


def test_what_was_not_committed_was_never_counted(database: Path) -> None:
    async def scenario(ledger: SqliteLedger) -> tuple[object, object]:
        profile = SqliteProfileStore(ledger)
        before = await profile.observe("bank", transaction(1))
        await profile.retract("bank", transaction(1))
        return before, await profile.observe("bank", transaction(1))

    before, after = with_ledger(database, scenario)  # type: ignore[misc]
    assert before == after


def test_a_repeated_login_event_counts_once(database: Path) -> None:
    async def scenario(ledger: SqliteLedger) -> list[bool]:
        profile = SqliteProfileStore(ledger)
        login = Login("l-1", START, "a", False)
        together = await asyncio.gather(*(profile.record_login("bank", login) for _ in range(5)))
        features = await profile.observe("bank", transaction(10))
        assert features["failed_login_count_last_1h"] == 1.0
        return [*together, await profile.record_login("bank", login), await profile.record_login("other", login)]

    assert with_ledger(database, scenario) == [True, False, False, False, False, False, True]


def test_stand_in_usage_survives_a_restart_and_ends_with_a_full_decision(database: Path) -> None:
    async def spend(ledger: SqliteLedger) -> None:
        await SqliteDecisionStore(ledger).commit(record(transaction(1), StandInUsage(count=1, amount=20.0)))

    async def recover(ledger: SqliteLedger) -> StandInUsage:
        store = SqliteDecisionStore(ledger)
        used = await store.stand_in_usage("a")
        await store.commit(record(transaction(2), StandInUsage()))
        return used

    async def after(ledger: SqliteLedger) -> StandInUsage:
        return await SqliteDecisionStore(ledger).stand_in_usage("a")

    with_ledger(database, spend)
    assert with_ledger(database, recover) == StandInUsage(count=1, amount=20.0)
    assert with_ledger(database, after) == StandInUsage()


def test_events_wait_for_every_consumer_and_are_purged_after(database: Path) -> None:
    async def scenario(ledger: SqliteLedger) -> None:
        store, outbox = SqliteDecisionStore(ledger), SqliteOutbox(ledger, ["one", "two"])
        await outbox.open()
        await asyncio.gather(*(store.commit(record(transaction(n))) for n in range(1_200)))
        events = await outbox.pending("one", 2_000)
        assert [event.sequence for event in events] == list(range(1, 1_201))
        await outbox.advance("one", 1_200)
        assert await outbox.pending("one", 10) == []
        assert len(await outbox.pending("two", 2_000)) == 1_200
        await outbox.advance("two", 1_100)
        assert [event.sequence for event in await outbox.pending("two", 1)] == [1_101]
        assert await outbox.depth() == 100
        assert ledger.reader.execute("SELECT count(*) FROM outbox").fetchone()[0] == 100

    with_ledger(database, scenario)


def test_another_files_are_refused_with_a_clear_message(database: Path) -> None:
    database.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StorageError, match="not a database"):
        SqliteLedger(database)
    database.unlink()
    with sqlite3.connect(database) as other:
        other.execute("CREATE TABLE t (a)")
    with pytest.raises(StorageError, match="not a database of Assay"):
        SqliteLedger(database)


def test_another_versions_file_is_refused_with_a_clear_message(database: Path) -> None:
    async def nothing(ledger: SqliteLedger) -> None:
        return None

    with_ledger(database, nothing)
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StorageError, match=f"schema version {SCHEMA_VERSION + 1}"):
        SqliteLedger(database)


def test_a_locked_file_is_refused_with_a_clear_message(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(ledger: SqliteLedger) -> None:
        return None

    with_ledger(database, nothing)
    monkeypatch.setattr("assay.adapters.sqlite.schema.BUSY_TIMEOUT_MS", 10)
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="locked"):
        SqliteLedger(database)
    holder.close()
