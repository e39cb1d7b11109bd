"""A log to try things on, and what a bad day or a bad person does to one."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.audit import SqliteAuditAnchorStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.audit.chain import Entry, Head, object_hash, seal
from assay.ports import OutboxEvent
from functions.audit_log.recorder import AuditLog

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def event(number: int, client: str = "shop") -> OutboxEvent:
    """A scored event, as far as the audit log looks into it."""
    body = {
        "event": "transaction.scored",
        "version": 1,
        "client_id": client,
        "features": {"amount": number * 1.5, "channel": "web"},
        "transaction": {},
        "verdict": {
            "transaction_id": f"t-{number}",
            "decided_at": NOW.isoformat(),
            "decision": "APPROVE",
            "is_early_exit": False,
            "release": {"version": "2026.11.1", "hash": "ab"},
        },
    }
    return OutboxEvent(number, json.dumps(body).encode())


def open_log(data: Path) -> tuple[AuditLog, SqliteLedger]:
    """The consumer over a data folder, as the embedded server puts it together."""
    data.mkdir(exist_ok=True)
    ledger = SqliteLedger(data / "assay.db")
    return AuditLog(FolderArchive(data / "audit"), SqliteAuditAnchorStore(ledger), lambda: NOW), ledger


async def write_log(data: Path, batches: list[int]) -> None:
    """A log of as many records per object as `batches` says."""
    log, ledger = open_log(data)
    number = 0
    for size in batches:
        await log.handle([event(number + n + 1) for n in range(size)])
        number += size
    await ledger.close()


def objects(folder: Path) -> list[Path]:
    """The log's objects, in order."""
    return sorted(folder.rglob("*.jsonl.gz"), key=lambda path: path.name)


def held(folder: Path, kind: str | None = None) -> list[tuple[str, str]]:
    """Client and transaction, or event, of every record of the kind (None: any), in the log's order."""
    records = [json.loads(line) for path in objects(folder) for line in _lines(path)]
    return [(record["client_id"], record["id"]) for record in records if kind in {None, record["kind"]}]


Tampering = Callable[[Path, Path, random.Random], None]
"""Changes the log in the first folder; the second holds it as it was earlier."""


def flip(folder: Path, _old: Path, chance: random.Random) -> None:
    """One bit: of an object as it is stored, or of a record in it."""
    path = chance.choice(objects(folder))
    body = bytearray(path.read_bytes()) if chance.random() < 0.5 else None
    content = body if body is not None else bytearray(gzip.decompress(path.read_bytes()))
    place = chance.randrange(len(content))
    content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content if body is not None else _packed(bytes(content)))


def delete(folder: Path, _old: Path, chance: random.Random) -> None:
    """An object, or a record out of one."""
    path = chance.choice(objects(folder))
    if chance.random() < 0.5:
        path.unlink()
        return
    lines = _lines(path)
    del lines[chance.randrange(len(lines))]
    _rewrite(path, lines)


def insert(folder: Path, _old: Path, chance: random.Random) -> None:
    """A record again or made up, or an object after the last, a continuation of the chain but for who wrote it."""
    path = chance.choice(objects(folder))
    lines = _lines(path)
    what = chance.randrange(3)
    if what == 2:
        _append_forged(folder)
        return
    line = chance.choice(lines) if what else chance.choice(lines).replace(b"APPROVE", b"DECLINE")
    lines.insert(chance.randrange(len(lines) + 1), line)
    _rewrite(path, lines)


def swap(folder: Path, _old: Path, chance: random.Random) -> None:
    """Two objects' contents, or two records of one."""
    if chance.random() < 0.5:
        one, other = chance.sample(objects(folder), 2)
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
        return
    path = chance.choice([path for path in objects(folder) if len(_lines(path)) > 1])
    lines = _lines(path)
    here, there = chance.sample(range(len(lines)), 2)
    lines[here], lines[there] = lines[there], lines[here]
    _rewrite(path, lines)


def truncate(folder: Path, _old: Path, chance: random.Random) -> None:
    """The end: some objects, some records of the last (under a name that fits), or bytes of it."""
    what = chance.randrange(3)
    files = objects(folder)
    if what == 0:
        for path in files[-chance.randrange(1, len(files)) :]:
            path.unlink()
        return
    last = files[-1]
    if what == 1:
        lines = _lines(last)
        kept = lines[: chance.randrange(1, len(lines))]
        first = int(last.name.partition("-")[0])
        _rewrite(last, kept)
        last.rename(last.with_name(f"{first:016d}-{first + len(kept) - 1:016d}.jsonl.gz"))
        return
    body = last.read_bytes()
    last.write_bytes(body[: chance.randrange(len(body))])


def replay_old_tail(folder: Path, old: Path, chance: random.Random) -> None:
    """The log as it was earlier; or its last objects once more, as if they had happened again."""
    if chance.random() < 0.5:
        shutil.rmtree(folder)
        shutil.copytree(old, folder)
        for path in objects(folder)[len(objects(folder)) - chance.randrange(3) :]:
            path.unlink()
        return
    files = objects(folder)
    last = int(files[-1].name[17:33])
    for path in files[-chance.randrange(1, len(files)) :]:
        size = int(path.name[17:33]) - int(path.name[:16]) + 1
        shutil.copy(path, path.with_name(f"{last + 1:016d}-{last + size:016d}.jsonl.gz"))
        last += size


TAMPERINGS: list[Tampering] = [flip, delete, insert, swap, truncate, replay_old_tail]


def _lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def _packed(content: bytes) -> bytes:
    """As the log packs: that the compression is another one must not give a change away."""
    return gzip.compress(content, 6, mtime=0)


def _rewrite(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(_packed(b"".join(lines)))


def _append_forged(folder: Path) -> None:
    last = objects(folder)[-1]
    head = Head(int(last.name[17:33]), object_hash(last.read_bytes()))
    batch = seal(head, [Entry("transaction.scored", "shop", "forged", b"{}")], NOW)
    (folder / batch.key).write_bytes(batch.body)
