"""One suite for the stores of scored events: SQLite, and an archive."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.errors import StorageError
from assay.ports import ScoredEvent, ScoredEventStore
from assay.scored_event_archive import ScoredEventArchive
from functions.post_auth_intelligence.events import read_recorded as read

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)
Use = Callable[[ScoredEventStore], Awaitable[None]]


def scored(transaction: str, client: str = "shop", at: datetime = NOON, note: str = "first") -> ScoredEvent:
    verdict = {
        "transaction_id": transaction,
        "decided_at": at.isoformat(),
        "decision": "APPROVE",
        "is_early_exit": False,
        "release": {"version": "2026.11.1", "hash": "ab"},
    }
    head = {"event": "transaction.scored", "version": 1, "client_id": client, "note": note}
    return read(json.dumps({**head, "features": {}, "transaction": {}, "verdict": verdict}).encode())


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[ScoredEventStore]:
    ledger = SqliteLedger(folder / "assay.db")
    yield SqliteScoredEventStore(ledger)
    await ledger.close()


@asynccontextmanager
async def in_archive(folder: Path) -> AsyncIterator[ScoredEventStore]:
    yield ScoredEventArchive(FolderArchive(folder / "archive"))


@pytest.fixture(params=[in_sqlite, in_archive])
def use(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Use], None]:
    """Runs a scenario with a store."""

    def run(scenario: Use) -> None:
        async def main() -> None:
            async with request.param(tmp_path) as store:
                await scenario(store)

        asyncio.run(main())

    return run


def test_every_event_is_counted(use: Callable[[Use], None]) -> None:
    async def scenario(store: ScoredEventStore) -> None:
        assert await store.count() == 0
        await store.record([scored("a"), scored("b"), scored("a", client="bank")])
        await store.record([scored("c", at=NOON + timedelta(days=40))])
        assert await store.count() == 4

    use(scenario)


def test_no_events(use: Callable[[Use], None]) -> None:
    async def scenario(store: ScoredEventStore) -> None:
        await store.record([])
        assert await store.count() == 0

    use(scenario)


def test_an_event_that_comes_again_changes_nothing(use: Callable[[Use], None]) -> None:
    async def scenario(store: ScoredEventStore) -> None:
        batch = [scored("a"), scored("b")]
        await store.record(batch)
        await store.record(batch)
        await store.record([scored("b"), scored("c"), scored("c")])
        assert await store.count() == 3

    use(scenario)


def test_many_batches_at_once(use: Callable[[Use], None]) -> None:
    async def scenario(store: ScoredEventStore) -> None:
        batches = [[scored(str(n)), scored(str(n + 1))] for n in range(50)]
        await asyncio.gather(*(store.record(batch) for batch in [*batches, *batches]))
        assert await store.count() == 51

    use(scenario)


def recorded(folder: Path, *batches: list[ScoredEvent]) -> list[str]:
    """The objects that the batches become."""
    archive = FolderArchive(folder)

    async def main() -> list[str]:
        for batch in batches:
            await ScoredEventArchive(archive).record(batch)
        return await archive.keys("")

    return asyncio.run(main())


def bodies(folder: Path) -> list[bytes]:
    async def main() -> list[bytes]:
        return [body async for body in ScoredEventArchive(FolderArchive(folder)).bodies()]

    return asyncio.run(main())


def test_a_batch_is_one_object(tmp_path: Path) -> None:
    events = [scored("b"), scored("a"), scored("c", at=NOON - timedelta(seconds=1))]
    lines = b"".join(event.body + b"\n" for event in (events[2], events[1], events[0]))
    name = f"20261121T115959.123456Z-{hashlib.sha256(lines).hexdigest()}.jsonl.gz"
    assert recorded(tmp_path, events) == [f"scored/dt=2026-11-21/{name}"]
    data = (tmp_path / "scored" / "dt=2026-11-21" / name).read_bytes()
    assert gzip.decompress(data) == lines
    assert data[4:8] == bytes(4)  # no time of compression: the same lines are the same bytes


def test_the_same_batch_is_the_same_object(tmp_path: Path) -> None:
    batch = [scored("a"), scored("b", at=NOON + timedelta(seconds=1)), scored("c")]
    assert len(recorded(tmp_path, batch, batch, batch[::-1], [*batch, *batch])) == 1


def test_a_batch_over_midnight_is_an_object_per_day(tmp_path: Path) -> None:
    east = timezone(timedelta(hours=5))
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    keys = recorded(
        tmp_path,
        [
            scored("a", at=midnight - timedelta(microseconds=1)),
            scored("b", at=midnight),
            scored("c", at=datetime(2026, 11, 22, 4, 59, tzinfo=east)),
        ],
    )
    assert [key.partition(".")[0] for key in keys] == [
        "scored/dt=2026-11-21/20261121T235900",
        "scored/dt=2026-11-22/20261122T000000",
    ]
    assert len(bodies(tmp_path)) == 3


def test_of_equal_events_the_first_in_order_of_keys_is_read(tmp_path: Path) -> None:
    early = scored("early", at=NOON - timedelta(hours=1))
    objects = recorded(tmp_path, [scored("a", note="second")], [scored("a"), early])
    assert len(objects) == 2
    events = [json.loads(body) for body in bodies(tmp_path)]
    assert [(event["verdict"]["transaction_id"], event["note"]) for event in events] == [
        ("early", "first"),
        ("a", "first"),
    ]


def test_an_event_over_several_lines_becomes_one(tmp_path: Path) -> None:
    event = scored("a", note="two\nlines")
    spread = json.dumps(json.loads(event.body), indent=2).replace("\n", "\r\n").encode()
    recorded(tmp_path, [ScoredEvent("shop", "a", NOON, "APPROVE", "1", "ab", False, spread)])
    assert [json.loads(body) for body in bodies(tmp_path)] == [json.loads(event.body)]


@pytest.mark.parametrize(
    "data",
    [b"", b"no gzip", gzip.compress(scored("a").body + b"\n")[:-9], gzip.compress(b"{}\n"), gzip.compress(b"\xff\n")],
    ids=["empty", "not gzip", "cut short", "no event", "no JSON"],
)
def test_an_object_that_cannot_be_read(tmp_path: Path, data: bytes) -> None:
    recorded(tmp_path, [scored("a")])
    (tmp_path / "scored" / "dt=2026-11-21" / "z.jsonl.gz").write_bytes(data)
    with pytest.raises(StorageError, match=r"z\.jsonl\.gz"):
        bodies(tmp_path)


def test_an_archive_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "scored").write_bytes(b"in the way")
    with pytest.raises(StorageError):
        recorded(tmp_path, [scored("a")])
    with pytest.raises(StorageError):
        bodies(tmp_path)
