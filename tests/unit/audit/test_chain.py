import asyncio
import contextlib
import gzip
import hashlib
import json
import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.audit import START, Entry, Head, seal
from assay.audit.chain import OBJECT, RECORD, span
from assay.audit.reading import BrokenChain, check, lines, parse
from local.audit.verify import prove
from tests.harness.audit import NOW, TAMPERINGS, Tampering, objects, write_log

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ENTRIES = st.lists(st.builds(Entry, TEXT, TEXT, TEXT, TEXT.map(lambda text: json.dumps([text]).encode())), min_size=1)
BATCHES = [7, 1, 5, 12, 3, 9]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a log, and the log as it was before its last three objects."""
    data = tmp_path_factory.mktemp("written")
    asyncio.run(write_log(data, BATCHES))
    shutil.copytree(data / "audit", data / "old")
    for path in objects(data / "old")[-3:]:
        path.unlink()
    return data


@given(st.lists(ENTRIES, min_size=1, max_size=5))
def test_what_is_sealed_verifies_and_reads_back(batches: list[list[Entry]]) -> None:
    head = START
    for entries in batches:
        batch = seal(head, entries, NOW)
        assert span(batch.key) == (head.sequence + 1, head.sequence + len(entries))
        assert check(batch.key, batch.body, head.hash) == batch.head.hash
        records = [parse(line) for line in lines(batch.key, batch.body, head.hash)]
        assert [(r.kind, r.client_id, r.id, r.event) for r in records] == [
            (*entry.identity, json.loads(entry.event)) for entry in entries
        ]
        assert seal(head, entries, NOW) == batch
        head = batch.head


@given(ENTRIES, st.randoms(use_true_random=False))
def test_no_bit_of_an_object_can_change_without_its_hash(entries: list[Entry], chance: random.Random) -> None:
    batch = seal(START, entries, NOW)
    body = bytearray(batch.body)
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    with contextlib.suppress(BrokenChain):
        assert check(batch.key, bytes(body), START.hash) != batch.head.hash


def test_the_hashes_are_what_the_documentation_says() -> None:
    """By other means than the product's: anyone can check a log with sha256 and gzip."""
    first = seal(START, [Entry("k", "c", "1", b'{"a":1}'), Entry("k", "c", "2", b'{"a":2}')], NOW)
    second = seal(first.head, [Entry("k", "c", "3", b"3")], NOW)
    previous = "0" * 64
    for body in (first.body, second.body):
        for line in gzip.decompress(body).splitlines():
            record = json.loads(line)
            assert record["previous"] == previous
            previous = hashlib.sha256(RECORD + line[len('{"hash":"",') + 64 :]).hexdigest()
            assert record["hash"] == previous
        previous = hashlib.sha256(OBJECT + body).hexdigest()
    assert second.head == Head(3, previous)


def test_line_breaks_in_an_event_do_not_break_lines() -> None:
    batch = seal(START, [Entry("k", "c", "1", b'{\n"a":\r\n1}')], NOW)
    (line,) = lines(batch.key, batch.body, START.hash)
    assert parse(line).event == {"a": 1}


def test_days_are_those_of_utc() -> None:
    late = datetime.fromisoformat("2026-11-21T23:30:00-05:00")
    assert seal(START, [Entry("k", "c", "1", b"1")], late).key.startswith("dt=2026-11-22/")
    assert NOW.tzinfo is UTC


def test_an_untouched_log_is_whole(written: Path) -> None:
    proof = prove(written / "audit", show=False)
    assert proof.whole, proof.broken
    assert (proof.records, proof.objects) == (sum(BATCHES), len(BATCHES))
    assert proof.anchor == proof.head


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.__name__)
def test_a_hundred_of_each_tampering_are_found(written: Path, tmp_path: Path, tampering: Tampering) -> None:
    missed = []
    shutil.copy(written / "assay.db", tmp_path / "assay.db")
    for seed in range(100):
        shutil.rmtree(tmp_path / "audit", ignore_errors=True)
        shutil.copytree(written / "audit", tmp_path / "audit")
        tampering(tmp_path / "audit", written / "old", random.Random(seed))
        if prove(tmp_path / "audit", show=False).whole:
            missed.append(seed)
    assert missed == []


def test_history_written_anew_with_good_hashes_is_found_by_the_anchor(written: Path, tmp_path: Path) -> None:
    asyncio.run(write_log(tmp_path / "other", BATCHES))
    one, other = objects(tmp_path / "other" / "audit"), objects(written / "audit")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    head = START
    for path in one:
        records = [parse(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        entries = [Entry(r.kind, r.client_id, r.id, json.dumps({**r.event, "features": {}}).encode()) for r in records]
        batch = seal(head, entries, NOW)
        (tmp_path / "other/audit" / batch.key).write_bytes(batch.body)
        head = batch.head
    proof = prove(tmp_path / "other" / "audit", show=False)
    assert proof.broken is not None and "the one that the anchor knows" in proof.broken.reason
    (tmp_path / "other" / "assay.db").unlink()
    assert prove(tmp_path / "other" / "audit", show=False).whole


def test_without_the_database_a_shorter_log_is_whole_and_says_so(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written / "old", tmp_path / "audit")
    proof = prove(tmp_path / "audit", show=False)
    assert proof.whole and proof.anchor is None
    assert proof.records == sum(BATCHES[:3])


def test_the_first_break_is_named(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "data")
    path = objects(tmp_path / "data" / "audit")[3]
    content = gzip.decompress(path.read_bytes()).replace(b'"t-17"', b'"t-71"')
    path.write_bytes(gzip.compress(content, 6, mtime=0))
    proof = prove(tmp_path / "data" / "audit", show=False)
    assert proof.broken is not None
    assert (proof.broken.sequence, proof.broken.reason) == (17, "its content does not have its hash")
    assert path.name in proof.broken.key
    assert proof.records == 13


def test_a_stranger_in_the_folder_is_found(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "data")
    (tmp_path / "data/audit/notes.txt").write_text("x")
    assert not prove(tmp_path / "data" / "audit", show=False).whole


def test_an_object_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = seal(START, [Entry("k", "c", "1", b'"' + b"x" * 10_000 + b'"')], NOW)
    monkeypatch.setattr("assay.audit.reading.MAX_OBJECT", 1_000)
    with pytest.raises(BrokenChain, match="not one whole gzip file"):
        check(batch.key, batch.body, START.hash)
