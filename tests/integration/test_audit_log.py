"""The audit log's consumer over a real folder and a real database, killed in between, delivered to again."""

import asyncio
import gzip
import json
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite import audit as sqlite_audit
from assay.adapters.sqlite.audit import SqliteAuditAnchorStore, find_records, read_anchor
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.schema import SCHEMA_VERSION, TABLES, open_database
from assay.audit import START, Batch, Entry, seal
from assay.errors import PoisonEvent, StorageError
from assay.ports import AuditPlace, OutboxEvent
from assay.schemas.event import Event
from functions.audit_log.recorder import AuditLog
from local.audit.verify import prove
from tests.harness.audit import NOW, event, held, objects, open_log


def recorded(data: Path) -> list[str]:
    """Transactions in the log, in its order."""
    return [transaction for _, transaction in held(data / "audit")]


def deliver(data: Path, *batches: Sequence[OutboxEvent]) -> None:
    async def main() -> None:
        log, ledger = open_log(data)
        try:
            for batch in batches:
                await log.handle(batch)
        finally:
            await ledger.close()

    asyncio.run(main())


def whole(data: Path) -> None:
    proof = prove(data / "audit", show=False)
    assert proof.whole, proof.broken
    assert proof.anchor == proof.head


def test_deliveries_again_in_other_company_and_order_are_recorded_once(tmp_path: Path) -> None:
    one, two, three, four = (event(n) for n in range(1, 5))
    deliver(tmp_path, [one, two], [one, two], [two, three, three, one], [three, two, one])
    deliver(tmp_path, [four, one, four])
    assert recorded(tmp_path) == ["t-1", "t-2", "t-3", "t-4"]
    whole(tmp_path)


def test_the_same_id_of_another_client_is_another_transaction(tmp_path: Path) -> None:
    deliver(tmp_path, [event(1), event(1, "other")])
    assert recorded(tmp_path) == ["t-1", "t-1"]
    found = find_records(tmp_path / "assay.db", "t-1")
    assert [(record.client_id, record.place.sequence) for record in found] == [("shop", 1), ("other", 2)]


def operator_event(kind: str = "user.logged_in", **changes: object) -> OutboxEvent:
    """What a person did; changed, what somebody forges."""
    genuine = json.loads(Event.now(kind, "usr_1", role="lead", scopes=["audit:read"]).to_json())
    return OutboxEvent(1, json.dumps({**genuine, **changes}).encode(), kind)


def test_what_operators_do_is_in_the_same_chain(tmp_path: Path) -> None:
    logged_in, promoted = operator_event(), operator_event("release.promoted")
    deliver(tmp_path, [event(1), logged_in], [logged_in, event(2), promoted, logged_in], [promoted, logged_in])
    ids = [json.loads(item.body)["id"] for item in (logged_in, promoted)]
    assert recorded(tmp_path) == ["t-1", ids[0], "t-2", ids[1]]
    (found,) = find_records(tmp_path / "assay.db", ids[1])
    assert (found.kind, found.client_id, found.place.sequence) == ("release.promoted", "usr_1", 4)
    whole(tmp_path)


def test_the_first_of_an_id_stays_whatever_comes_later(tmp_path: Path) -> None:
    """The same event three times, in another order, and once more with another content."""
    first = operator_event()
    id_ = json.loads(first.body)["id"]
    forged = operator_event(id=id_, data={"role": "admin"})
    deliver(tmp_path, [first], [event(1), first], [first, event(1)], [forged])
    assert recorded(tmp_path) == [id_, "t-1"]
    assert b"lead" in gzip.decompress(objects(tmp_path / "audit")[0].read_bytes())
    whole(tmp_path)


SCORED = json.loads(event(1).body)
POISON = {
    "nothing": b"",
    "an empty object": b"{}",
    "a list": b"[]",
    "not UTF-8": b"\xff",
    "scored, version 2": json.dumps({**SCORED, "version": 2}).encode(),
    "scored, version 1.0": json.dumps({**SCORED, "version": "1"}).encode(),
    "scored by nobody": json.dumps({**SCORED, "client_id": ""}).encode(),
    "scored by two": json.dumps({**SCORED, "client_id": "shop#other"}).encode(),
    "scored without a verdict": json.dumps({**SCORED, "verdict": None}).encode(),
    "an id that no store takes": json.dumps({**SCORED, "verdict": {"transaction_id": "x" * 5_000}}).encode(),
    "of no kind": operator_event(event="LOGGED IN").body,
    "of a later version": operator_event(version=2).body,
    "without an id": operator_event(id="").body,
    "by nobody": operator_event(client_id=None).body,
    "at no time": operator_event(occurred_at="yesterday").body,
    "with a field more": operator_event(password="secret").body,
    "with an object in its data": operator_event(data={"x": {"y": 1}}).body,
    "a scored event of the other shape": operator_event(event="transaction.scored").body,
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON)
def test_poison_records_nothing_and_says_nothing_of_itself(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(PoisonEvent) as refused:
        deliver(tmp_path, [event(1), OutboxEvent(2, body)])
    assert "secret" not in str(refused.value)
    assert recorded(tmp_path) == []


class Killed(FolderArchive):
    """Dies by `kill -9`, before or after an object is written."""

    def __init__(self, root: Path, after: bool) -> None:
        super().__init__(root)
        self.after = after

    async def put(self, key: str, body: bytes) -> bool:
        if self.after:
            await super().put(key, body)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def die(data: Path, after: bool, events: list[OutboxEvent]) -> None:
    async def main() -> None:
        anchor = SqliteAuditAnchorStore(SqliteLedger(data / "assay.db"))
        await AuditLog(Killed(data / "audit", after), anchor, lambda: NOW).handle(events)

    asyncio.run(main())


@pytest.mark.parametrize("after", [False, True], ids=["before the object", "after the object"])
def test_a_kill_between_the_writes_loses_and_doubles_nothing(tmp_path: Path, after: bool) -> None:
    deliver(tmp_path, [event(1), event(2)])
    process = multiprocessing.get_context("spawn").Process(target=die, args=(tmp_path, after, [event(3), event(4)]))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(objects(tmp_path / "audit")) == 1 + after
    assert prove(tmp_path / "audit", show=False).whole  # also before anybody has mended it
    deliver(tmp_path, [event(3), event(4), event(5)])
    assert recorded(tmp_path) == ["t-1", "t-2", "t-3", "t-4", "t-5"]
    whole(tmp_path)


def test_a_fault_of_the_anchor_is_mended_by_the_next_delivery(tmp_path: Path) -> None:
    class Full(SqliteAuditAnchorStore):
        full = True

        async def advance(self, batch: Batch, entries: Sequence[Entry]) -> None:
            if self.full:
                raise StorageError("full")
            await super().advance(batch, entries)

    async def main() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        anchor = Full(ledger)
        log = AuditLog(FolderArchive(tmp_path / "audit"), anchor, lambda: NOW)
        with pytest.raises(StorageError, match="full"):
            await log.handle([event(1)])
        anchor.full = False
        await log.handle([event(1), event(2)])
        await ledger.close()

    asyncio.run(main())
    assert recorded(tmp_path) == ["t-1", "t-2"]
    whole(tmp_path)


@pytest.mark.parametrize("count", [1, 2])
def test_what_somebody_else_appended_is_refused_and_not_taken_up(tmp_path: Path, count: int) -> None:
    deliver(tmp_path, [event(1)])
    head = read_anchor(tmp_path / "assay.db").head
    for number in range(count):
        batch = seal(head, [Entry("transaction.scored", "shop", f"forged-{number}", b"{}")], NOW)
        (tmp_path / "audit" / batch.key).write_bytes(batch.body)
        head = batch.head
    with pytest.raises(StorageError, match="did not write"):
        deliver(tmp_path, [event(2)])
    proof = prove(tmp_path / "audit", show=False)
    assert proof.broken is not None and proof.broken.sequence == 2


def test_a_log_that_grows_while_it_is_verified_is_whole(tmp_path: Path) -> None:
    from assay.audit.verification import verify

    async def main() -> None:
        log, ledger = open_log(tmp_path)
        archive, anchor = FolderArchive(tmp_path / "audit"), SqliteAuditAnchorStore(ledger)

        async def grow() -> None:
            for number in range(1, 150):
                await log.handle([event(number)])

        growing = asyncio.create_task(grow())
        walks = 0
        while not growing.done():
            proof = await verify(archive, anchor.read)
            assert proof.whole, proof.broken
            walks += 1
        await growing
        assert walks > 3
        assert (await verify(archive, anchor.read)).records == 149
        await ledger.close()

    asyncio.run(main())


@pytest.mark.parametrize("written", [False, True], ids=["before the object", "after the object"])
def test_an_object_announced_by_the_version_before_is_taken_up_or_forgotten(tmp_path: Path, written: bool) -> None:
    """That one noted the hash of what it was about to write, and not the bytes."""
    deliver(tmp_path, [event(1)])
    head = read_anchor(tmp_path / "assay.db").head
    announced = seal(head, [Entry("transaction.scored", "shop", "t-2", event(2).body)], NOW)
    if written:
        (tmp_path / "audit" / announced.key).write_bytes(announced.body)
    with sqlite3.connect(tmp_path / "assay.db") as connection:
        note = (announced.head.sequence, announced.head.hash)
        connection.execute("UPDATE audit_anchor SET intended_sequence = ?, intended_hash = ?", note)
        connection.execute("DELETE FROM audit_objects")
    connection.close()
    assert prove(tmp_path / "audit", show=False).whole
    deliver(tmp_path, [event(3), event(2)], [event(4)])
    assert sorted(recorded(tmp_path)) == ["t-1", "t-2", "t-3", "t-4"]
    whole(tmp_path)
    places = {record.place for n in range(1, 5) for record in find_records(tmp_path / "assay.db", f"t-{n}")}
    assert len(places) == 4 and AuditPlace(1, "") in places


def test_a_file_of_the_version_before_is_brought_up_in_place(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "assay.db")
    connection.executescript(TABLES)
    connection.executescript("PRAGMA application_id = 0x41535359; PRAGMA user_version = 1")
    connection.execute("INSERT INTO decisions VALUES (7, 'shop', 't', x'00', x'01', 5)")
    connection.commit()
    connection.close()
    opened = open_database(tmp_path / "assay.db")
    assert opened.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert opened.execute("SELECT id FROM decisions").fetchall() == [(7,)]
    opened.close()
    assert read_anchor(tmp_path / "assay.db").head == START
    fresh = open_database(tmp_path / "fresh.db")
    upgraded = open_database(tmp_path / "assay.db")
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert fresh.execute(schema).fetchall() == upgraded.execute(schema).fetchall()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "assay.db")
    connection.executescript(TABLES)
    connection.executescript("PRAGMA application_id = 0x41535359; PRAGMA user_version = 1")
    connection.execute("CREATE TABLE audit_records (something)")
    connection.close()
    with pytest.raises(StorageError, match="already exists"):
        open_database(tmp_path / "assay.db")
    connection = sqlite3.connect(tmp_path / "assay.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_anchor'").fetchall()


def test_a_database_without_an_anchor_says_so(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "assay.db").close()
    with pytest.raises(StorageError, match="audit anchor"):
        sqlite_audit.read_anchor(tmp_path / "assay.db")
