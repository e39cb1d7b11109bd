"""One suite for the audit log's anchors, SQLite and DynamoDB, and for the recorder over each, with several writers."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from assay.adapters.aws.archive import S3Archive
from assay.adapters.aws.audit import DynamoAuditAnchorStore
from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.objects import open_store
from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.audit import SqliteAuditAnchorStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.audit import START, Batch, Entry, Head, seal
from assay.audit.reading import entries as entries_of
from assay.audit.reading import parse, read_record
from assay.audit.verification import Proof, verify
from assay.errors import AnchorMoved, StorageError
from assay.ports import Archive, AuditAnchorStore, AuditPlace
from functions.audit_log.recorder import AuditLog
from local.aws import resources
from tests.contract.faults import Faults
from tests.contract.installations import PATIENT_S, create_table, run
from tests.harness.audit import NOW, event

Open = Callable[[], Any]
LOCK = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 1}}}


@dataclass(frozen=True, slots=True)
class Places:
    """Where a process finds the log and its anchor."""

    archive: Archive
    anchor: AuditAnchorStore


def on_this_machine(folder: Path) -> Open:
    @asynccontextmanager
    async def process() -> AsyncIterator[Places]:
        ledger = SqliteLedger(folder / "assay.db")
        try:
            yield Places(FolderArchive(folder / "audit"), SqliteAuditAnchorStore(ledger))
        finally:
            await ledger.close()

    return process


def make_table_and_bucket(endpoint: str, name: str) -> None:
    create_table(resources.client("dynamodb", endpoint), "AuditAnchorTable", name)
    s3 = resources.client("s3", endpoint)
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=LOCK)


def on_aws(name: str) -> Open:
    @asynccontextmanager
    async def process() -> AsyncIterator[Places]:
        clients = Clients()
        try:
            anchor = DynamoAuditAnchorStore(await clients.open("dynamodb", patient(PATIENT_S)), name)
            yield Places(S3Archive(open_store(f"s3://{name}")), anchor)
        finally:
            await clients.close()

    return process


@pytest.fixture
def name(moto_endpoint: str, aws_environment: pytest.MonkeyPatch) -> str:
    """Of a table, and of a bucket that locks what is put into it."""
    name = f"audit-{uuid4().hex[:12]}"
    make_table_and_bucket(moto_endpoint, name)
    return name


@pytest.fixture(params=["sqlite", "aws"])
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Each of the two, as a process opens it."""
    return on_this_machine(tmp_path) if request.param == "sqlite" else on_aws(request.getfixturevalue("name"))


def entries(*numbers: int) -> list[Entry]:
    return [Entry("transaction.scored", "shop", f"t-{n}", b'{"n":%d}' % n) for n in numbers]


def batch(head: Head, *numbers: int) -> Batch:
    return seal(head, entries(*numbers), NOW)


def test_an_object_is_announced_with_its_bytes_and_then_anchored(process: Open) -> None:
    async def scenario() -> None:
        async with process() as places:
            anchor = await places.anchor.read()
            assert (anchor.head, anchor.key, anchor.intended) == (START, "", None)
            first = batch(START, 1, 2)
            await places.anchor.intend(START, first)
        async with process() as places:
            anchor = await places.anchor.read()
            assert (anchor.head, anchor.intended) == (START, first)
            assert await places.anchor.recorded(entries(1, 2)) == set()
            await places.anchor.advance(first, entries(1, 2))
        async with process() as places:
            anchor = await places.anchor.read()
            assert (anchor.head, anchor.key, anchor.intended) == (first.head, first.key, None)
            asked = [
                *entries(1, 2, 3),
                Entry("transaction.scored", "other", "t-1", b""),
                Entry("k", "shop", "t-1", b""),
            ]
            assert await places.anchor.recorded(asked) == {entry.identity for entry in entries(1, 2)}
            assert await places.anchor.find("transaction.scored", "shop", "t-2") == AuditPlace(2, first.key)
            assert await places.anchor.find("transaction.scored", "other", "t-2") is None
            second = batch(first.head, 3)
            await places.anchor.intend(first.head, second)
            await places.anchor.advance(second, entries(3))
            assert await places.anchor.find("transaction.scored", "shop", "t-3") == AuditPlace(3, second.key)
            assert await places.anchor.find("transaction.scored", "shop", "t-2") == AuditPlace(2, first.key)

    run(scenario)


def test_nobody_announces_after_another_end_or_over_another(process: Open) -> None:
    async def scenario() -> None:
        async with process() as places:
            first = batch(START, 1)
            for elsewhere in (Head(1, first.head.hash), Head(0, "1" * 64)):
                with pytest.raises(AnchorMoved):
                    await places.anchor.intend(elsewhere, first)
            assert (await places.anchor.read()).intended is None
            await places.anchor.intend(START, first)
            for late in (first, batch(START, 2)):
                with pytest.raises(AnchorMoved):
                    await places.anchor.intend(START, late)
            assert (await places.anchor.read()).intended == first
            await places.anchor.advance(first, entries(1))
            with pytest.raises(AnchorMoved):
                await places.anchor.intend(START, batch(START, 2))
            anchor = await places.anchor.read()
            assert (anchor.head, anchor.intended) == (first.head, None)

    run(scenario)


def test_only_what_is_announced_is_anchored(process: Open) -> None:
    async def scenario() -> None:
        async with process() as places:
            first, other = batch(START, 1), batch(START, 2)
            with pytest.raises(AnchorMoved):
                await places.anchor.advance(first, entries(1))
            await places.anchor.intend(START, first)
            with pytest.raises(AnchorMoved):
                await places.anchor.advance(other, entries(2))
            assert await places.anchor.recorded(entries(1, 2)) == set()
            await places.anchor.advance(first, entries(1))
            with pytest.raises(AnchorMoved):
                await places.anchor.advance(first, entries(1))
            assert (await places.anchor.read()).head == first.head

    run(scenario)


def test_one_of_many_at_once_is_first(process: Open) -> None:
    async def scenario() -> None:
        async with process() as places:
            batches = [batch(START, n) for n in range(8)]
            outcomes = await asyncio.gather(
                *(places.anchor.intend(START, item) for item in batches), return_exceptions=True
            )
            (won,) = [item for item, outcome in zip(batches, outcomes, strict=True) if outcome is None]
            assert all(isinstance(outcome, AnchorMoved) for outcome in outcomes if outcome is not None)
            assert (await places.anchor.read()).intended == won

    run(scenario)


def test_a_full_batch_and_many_questions(process: Open) -> None:
    async def scenario() -> None:
        async with process() as places:
            numbers = range(places.anchor.max_entries)
            full = batch(START, *numbers)
            await places.anchor.intend(START, full)
            await places.anchor.advance(full, entries(*numbers))
            asked = entries(*numbers, *range(10_000, 10_150))
            found = await places.anchor.recorded(asked + asked)
            assert found == {entry.identity for entry in entries(*numbers)}

    run(scenario)


def log_over(places: Places) -> AuditLog:
    return AuditLog(places.archive, places.anchor, lambda: NOW)


async def proof_of(places: Places) -> Proof:
    proof = await verify(places.archive, places.anchor.read)
    assert proof.whole, proof.broken
    return proof


async def held(places: Places) -> list[str]:
    """Ids in the log, in its order."""
    found = []
    for key in await places.archive.keys("dt="):
        body = await places.archive.get(key)
        found += [entry.id for entry in entries_of(key, body, _previous(body))]
    return found


def _previous(body: bytes | None) -> str:
    return gzip.decompress(body or b"").partition(b'"previous":"')[2][:64].decode()


class Stopped(Exception):  # noqa: N818
    """The process is no more."""


@dataclass
class Stops:
    """An archive and an anchor whose process ends at a step; a put under way may land later."""

    places: Places
    at: str
    late: list[tuple[str, bytes]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.places.archive if name in {"get", "keys"} else self.places.anchor, name)

    async def intend(self, before: Head, item: Batch) -> None:
        await self._step("intend", self.places.anchor.intend(before, item))

    async def advance(self, item: Batch, held: list[Entry]) -> None:
        await self._step("advance", self.places.anchor.advance(item, held))

    async def put(self, key: str, body: bytes) -> bool:
        if self.at == "late put":
            self.late.append((key, body))
            raise Stopped
        await self._step("put", self.places.archive.put(key, body))
        return True

    async def _step(self, name: str, doing: Awaitable[Any]) -> None:
        if self.at == f"before {name}":
            asyncio.ensure_future(doing).cancel()
            raise Stopped
        await doing
        if self.at == f"after {name}":
            raise Stopped


STOPS = [f"{when} {step}" for step in ("intend", "put", "advance") for when in ("before", "after")]


@pytest.mark.parametrize("at", [*STOPS, "late put"])
def test_whatever_stops_loses_nothing_doubles_nothing_and_forks_nothing(process: Open, at: str) -> None:
    late: list[tuple[str, bytes]] = []

    async def scenario() -> None:
        async with process() as places:
            await log_over(places).handle([event(1), event(2)])
            stops: Any = Stops(places, at, late)
            with pytest.raises(Stopped):
                await AuditLog(stops, stops, lambda: NOW).handle([event(3), event(4)])
            await proof_of(places)
        async with process() as places:
            # Other company, another day: nothing of this object's name is as it was.
            tomorrow = NOW.replace(day=NOW.day + 1)
            log = AuditLog(places.archive, places.anchor, lambda: tomorrow)
            await log.handle([event(4), event(5), event(6)])
            for key, body in late:
                assert await places.archive.put(key, body) is False
            await log.handle([event(3), event(7)])
            assert sorted(await held(places)) == [f"t-{n}" for n in range(1, 8)]
            assert (await proof_of(places)).records == 7

    run(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_writers_at_the_same_time_make_one_chain(process: Open, seed: int) -> None:
    """Each delivers everything, in an order and in batches of its own."""

    async def scenario() -> None:
        chance = random.Random(seed)
        async with process() as places:

            async def write(log: AuditLog) -> None:
                numbers = list(range(40))
                chance.shuffle(numbers)
                while numbers:
                    some = [numbers.pop() for _ in range(min(len(numbers), chance.randrange(1, 9)))]
                    await log.handle([event(n) for n in some])
                    await asyncio.sleep(0)

            await asyncio.gather(*(write(log_over(places)) for _ in range(3)))
            assert sorted(await held(places)) == sorted(f"t-{n}" for n in range(40))
            assert (await proof_of(places)).records == 40

    run(scenario)


def test_more_than_a_batch_may_hold_becomes_several(process: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with process() as places:
            monkeypatch.setattr(type(places.anchor), "max_entries", 30)
            await log_over(places).handle([event(n) for n in range(100)])
            assert (await proof_of(places)).objects == 4
            monkeypatch.setattr(type(places.anchor), "max_body", 600)
            await log_over(places).handle([event(n) for n in range(100, 120)])
            proof = await proof_of(places)
            assert proof.records == 120 and proof.objects > 6
            monkeypatch.setattr(type(places.anchor), "max_body", 1)
            await log_over(places).handle([event(n) for n in range(120, 123)])
            assert (await proof_of(places)).objects == proof.objects + 3
            assert await held(places) == [f"t-{n}" for n in range(123)]

    run(scenario)


@pytest.mark.parametrize("when", ["before the start", "in its place"])
def test_an_object_of_somebody_else_stops_the_recording(process: Open, when: str) -> None:
    async def scenario() -> None:
        async with process() as places:
            log = log_over(places)
            await log.handle([event(1)])
            forged = seal((await places.anchor.read()).head, [Entry("transaction.scored", "shop", "x", b"{}")], NOW)
            assert await places.archive.put(forged.key, forged.body)
            for writer in (log_over(places), log) if when == "before the start" else (log, log_over(places)):
                with pytest.raises(StorageError, match="did not write"):
                    await writer.handle([event(2)])
            assert not (await verify(places.archive, places.anchor.read)).whole
            assert await places.anchor.recorded([Entry("transaction.scored", "shop", "t-2", b"")]) == set()

    run(scenario)


def test_a_record_is_found_by_its_identity(process: Open) -> None:
    async def scenario() -> None:
        async with process() as places:
            log = log_over(places)
            await log.handle([event(1), event(2)])
            await log.handle([event(3), event(2, "other")])
            place = await places.anchor.find("transaction.scored", "other", "t-2")
            assert place is not None
            line = await read_record(places.archive, place)
            assert await read_record(places.archive, AuditPlace(place.sequence, "")) == line
            record = parse(line)
            assert (record.sequence, record.client_id, record.id) == (4, "other", "t-2")
            for nowhere in (AuditPlace(9, ""), AuditPlace(9, place.key), AuditPlace(4, "dt=2026-01-01/gone")):
                with pytest.raises(StorageError):
                    await read_record(places.archive, nowhere)

    run(scenario)


@pytest.mark.parametrize("call", ["UpdateItem", "TransactWriteItems", "GetItem", "BatchGetItem"])
@pytest.mark.parametrize("kind", ["lost", "throttled", "conflict", "unavailable"])
def test_a_fault_of_dynamodb_is_got_over(name: str, faults: Faults, call: str, kind: Any) -> None:
    """Told of or not, then mended: each event is in the log once."""

    async def scenario() -> None:
        async with on_aws(name)() as places:
            await log_over(places).handle([event(1)])
            for times in (1, 4):
                faults.add(call, kind, times)
                for _ in range(8):
                    try:
                        await log_over(places).handle([event(2 * times), event(2 * times + 1)])
                    except StorageError:
                        continue
                    break
                faults.clear()
            assert sorted(await held(places)) == ["t-1", "t-2", "t-3", "t-8", "t-9"]
            assert (await proof_of(places)).records == 5

    run(scenario)


def test_a_table_that_is_down_is_a_storage_error(name: str, faults: Faults) -> None:
    async def scenario() -> None:
        async with on_aws(name)() as places:
            for call in ("UpdateItem", "TransactWriteItems", "GetItem", "BatchGetItem"):
                faults.add(call, "unavailable")
            store, first = places.anchor, batch(START, 1)
            for doing in (
                store.read(),
                store.intend(START, first),
                store.advance(first, entries(1)),
                store.recorded(entries(1)),
                store.find("k", "c", "i"),
            ):
                with pytest.raises(StorageError):
                    await doing

    run(scenario)


def test_an_object_is_locked_and_was_checked_on_arrival(name: str, moto_endpoint: str) -> None:
    """S3 refuses a put without a checksum where there is a default retention; moto does too, and keeps the lock."""

    async def scenario() -> None:
        async with on_aws(name)() as places:
            await log_over(places).handle([event(1)])
            (key,) = await places.archive.keys("dt=")
            s3 = resources.client("s3", moto_endpoint)
            head = s3.head_object(Bucket=name, Key=key, ChecksumMode="ENABLED")
            assert head["ObjectLockMode"] == "GOVERNANCE"
            assert head["ChecksumSHA256"]

    run(scenario)
