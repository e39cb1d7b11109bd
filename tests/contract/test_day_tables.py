"""Reading scored events by the days' tables gives what reading the events gives: of SQLite, a folder, and S3 (moto)."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from assay.adapters.archives import open_archive
from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.scored_days import SqliteScoredDays
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.errors import StorageError
from assay.intelligence import day_tables
from assay.intelligence.archived import ArchivedDays
from assay.intelligence.day_tables import DayTables
from assay.intelligence.scored_days import Day, ScoredDays
from assay.intelligence.scored_history import ScoredHistory
from assay.intelligence.scored_table import COLUMNS, IDENTITY, decode
from assay.ports import Archive, ScoredEvent
from assay.scored_event_archive import ScoredEventArchive
from functions.post_auth_intelligence.events import read_recorded
from local.aws import resources
from tests.template.outcomes import event as sample

START = datetime(2026, 11, 18, tzinfo=UTC)
SAMPLE: dict[str, Any] = json.loads(sample("post_auth_intelligence/batch.json")["Records"][0]["body"])
FEATURES = [SAMPLE["features"], {}, None, {"amount": "x", "channel": 3}, {"amount": 1.5, "channel": "web"}]


def scored(number: int) -> ScoredEvent:
    """Decided on one of four days; happened up to three days before, or a little after."""
    hour = timedelta(hours=number * 7 % 24, seconds=number)
    decided = START + timedelta(days=number % 4) + hour
    happened = decided - timedelta(hours=(number * 11) % 72) + timedelta(minutes=5)
    fired = ["a", "b"][: number % 3]
    verdict = {**SAMPLE["verdict"], "transaction_id": f"t-{number}", "triggered_rules": fired}
    verdict["decided_at"] = decided.isoformat()
    told = {**SAMPLE, "occurred_at": happened.isoformat(), "verdict": verdict, "features": FEATURES[number % 5]}
    return read_recorded(json.dumps(told).encode())


class Counting:
    """Days whose events are counted when they are read."""

    def __init__(self, days: ScoredDays) -> None:
        self._days, self.read = days, list[str]()

    async def days(self, since: datetime | None = None) -> list[Day]:
        found = await self._days.days(since)
        return [Day(day.name, day.content, self._noting(day)) for day in found]

    def _noting(self, day: Day) -> Callable[[], Any]:
        def batches() -> Any:
            self.read.append(day.name)
            return day.batches()

        return batches


class Kept:
    """Events kept in one way, and their tables."""

    def __init__(self, folder: Path, kind: str, files: Archive | None = None) -> None:
        self._folder, self._kind = folder, kind
        self.files: Archive = files or FolderArchive(folder)
        days = SqliteScoredDays(folder / "assay.db") if kind == "database" else ArchivedDays(self.files)
        self.days = Counting(days)
        self.discard = self.files.discard if isinstance(self.files, FolderArchive) and kind == "database" else None

    async def record(self, events: Sequence[ScoredEvent]) -> None:
        if self._kind == "database":
            ledger = SqliteLedger(self._folder / "assay.db")
            await SqliteScoredEventStore(ledger).record(events)
            await ledger.close()
        else:
            await ScoredEventArchive(self.files).record(events)

    async def by_tables(self, columns: Sequence[str] = COLUMNS, **period: Any) -> pl.DataFrame:
        history = ScoredHistory(self.days, DayTables(self.files, self.discard))
        return await _joined(history, columns, period)

    async def by_events(self, columns: Sequence[str] = COLUMNS, **period: Any) -> pl.DataFrame:
        tables = DayTables(FolderArchive(self._folder / "nothing"))
        tables.is_kept = False
        return await _joined(ScoredHistory(self.days, tables), columns, period)

    async def tables(self) -> list[str]:
        return await self.files.keys("tables/")


async def _joined(history: ScoredHistory, columns: Sequence[str], period: dict[str, Any]) -> pl.DataFrame:
    asked = list(dict.fromkeys([*columns, *IDENTITY]))
    frames = [frame async for frame in history.frames(columns=asked, **period)]
    return pl.concat(frames).sort(IDENTITY) if frames else pl.DataFrame()


@pytest.fixture(params=["database", "folder", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param != "s3":
        return Kept(tmp_path, request.param)
    request.getfixturevalue("aws_environment")
    bucket = f"archive-{uuid4()}"
    resources.client("s3", request.getfixturevalue("moto_endpoint")).create_bucket(Bucket=bucket)
    return Kept(tmp_path, "s3", open_archive(f"s3://{bucket}"))


@pytest.fixture
def local(tmp_path: Path) -> Kept:
    return Kept(tmp_path, "database")


BATCHES = st.lists(st.lists(st.integers(0, 39), min_size=1, max_size=12), min_size=1, max_size=4)
SOME = st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True)
MOMENTS = st.none() | st.integers(-96, 96).map(lambda hours: START + timedelta(days=2, hours=hours))


@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("kind", ["database", "folder"])
@given(batches=BATCHES, columns=SOME, since=MOMENTS, until=MOMENTS)
def test_the_tables_say_what_the_events_say(
    kind: str, batches: list[list[int]], columns: list[str], since: datetime | None, until: datetime | None
) -> None:
    """Whatever order events come in, how late, how often: read after each batch."""

    async def scenario(folder: Path) -> None:
        kept = Kept(folder, kind)
        for batch in batches:
            await kept.record([scored(number) for number in batch])
            found = await kept.by_tables(columns, since=since, until=until)
            assert_frame_equal(found, await kept.by_events(columns, since=since, until=until))
        everything = await kept.by_tables()
        assert everything["transaction_id"].to_list() == sorted({f"t-{n}" for batch in batches for n in batch})

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))


def test_events_are_read_once_and_those_of_the_last_day_always(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.record([scored(number) for number in range(20)])
        first = await kept.by_tables()
        assert_frame_equal(first, await kept.by_events())
        kept.days.read.clear()
        assert_frame_equal(await kept.by_tables(), first)
        assert kept.days.read == ["2026-11-21"]
        assert len(await kept.tables()) == 3
        await kept.record([scored(41)])  # late, of the second day
        kept.days.read.clear()
        assert len(await kept.by_tables(["amount"])) == 21
        assert sorted(kept.days.read) == ["2026-11-19", "2026-11-21"]
        assert len(await kept.tables()) == (3 if kept.discard else 4)  # where nothing is removed, files expire

    asyncio.run(scenario())


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda body: body[: len(body) // 2],
    "empty": lambda body: b"",
    "another byte": lambda body: body[:90] + bytes([body[90] ^ 1]) + body[91:],
    "longer": lambda body: body + b"\0",
    "something else": lambda body: b"PAR1",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("kind", ["database", "folder"])
def test_a_damaged_table_is_made_again(tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, kind)
        await kept.record([scored(number) for number in range(20)])
        right = await kept.by_tables()
        for key in await kept.tables():
            (tmp_path / key).write_bytes(damage((tmp_path / key).read_bytes()))
        assert_frame_equal(await kept.by_tables(), right)
        assert len(await kept.tables()) == (3 if kept.discard else 6)
        kept.days.read.clear()
        assert_frame_equal(await kept.by_tables(), right)
        assert kept.days.read == ["2026-11-21"]

    asyncio.run(scenario())


def test_a_table_of_other_columns_is_not_used(local: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        await local.record([scored(number) for number in range(20)])
        with monkeypatch.context() as before:
            before.setattr(day_tables, "SHAPE", "of an older version")
            await local.by_tables()
        old = await local.tables()
        assert_frame_equal(await local.by_tables(), await local.by_events())
        assert (len(old), set(old) & set(await local.tables())) == (3, set())

    asyncio.run(scenario())


def test_a_file_that_is_named_well_and_holds_other_columns_is_not_used(local: Kept, tmp_path: Path) -> None:
    async def scenario() -> None:
        await local.record([scored(number) for number in range(20)])
        days = await local.days.days()
        await DayTables(local.files).keep(days[0], 0, decode([scored(0).body], ["client_id", "amount"]))
        assert_frame_equal(await local.by_tables(), await local.by_events())

    asyncio.run(scenario())


def test_tables_that_cannot_be_kept_are_done_without(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, "database")
        await kept.record([scored(number) for number in range(20)])
        (tmp_path / "tables").write_bytes(b"in the way")
        assert_frame_equal(await kept.by_tables(), await kept.by_events())

    asyncio.run(scenario())


def test_files_of_days_that_are_gone_go(local: Kept, tmp_path: Path) -> None:
    async def scenario() -> None:
        await local.record([scored(number) for number in range(20)])
        await local.by_tables()
        other = Kept(tmp_path / "other", "database")
        (tmp_path / "other").mkdir()
        await other.record([scored(number) for number in (2, 3)])
        moved = ScoredHistory(other.days, DayTables(local.files, local.discard))
        await _joined(moved, COLUMNS, {"since": START + timedelta(days=3)})
        assert len(await local.tables()) == 3  # of days before, nothing can be said; of the second, another one
        assert len(await _joined(moved, COLUMNS, {})) == 2
        assert [key[:21] for key in await local.tables()] == ["tables/dt=2026-11-20/"]

    asyncio.run(scenario())


def test_two_at_once(local: Kept) -> None:
    async def scenario() -> None:
        await local.record([scored(number) for number in range(20)])
        one, other = await asyncio.gather(local.by_tables(), local.by_tables())
        assert_frame_equal(one, other)
        assert len(await local.tables()) == 3

    asyncio.run(scenario())


def test_an_unreadable_object_is_an_error_and_leaves_no_table(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, "folder")
        await kept.record([scored(number) for number in range(20)])
        await kept.files.put("scored/dt=2026-11-19/x.jsonl.gz", b"not gzip")
        with pytest.raises(StorageError, match=r"x\.jsonl\.gz"):
            await kept.by_tables()
        assert not [key for key in await kept.tables() if "2026-11-19" in key]

    asyncio.run(scenario())
