"""The chain itself, pure: from entries to an object's bytes.

A record is one line, `{"hash":"<64 hex>",<rest>`. Its hash is SHA-256 over `RECORD` and the bytes of `<rest>`, which
hold in this order: sequence, previous, kind, recorded_at, client_id, id, event. `previous` is the hash of the record
before; for the first record of an object it is the hash of the object before: SHA-256 over `OBJECT` and the object's
very bytes. So neither a record nor a byte of an object's compression can change without breaking what comes after, and
the hash of the last object, kept elsewhere, stands for everything.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic_core import to_json

RECORD = b"assay.audit.record.v1\n"
OBJECT = b"assay.audit.object.v1\n"
"""Different beginnings, so that no record can ever have the hash of an object."""

PREFIX = "dt="
_LEVEL = 6
_KEY = re.compile(r"dt=\d{4}-\d\d-\d\d/(\d{16})-(\d{16})\.jsonl\.gz", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the last sequence number, and the hash of the object that holds it, hex."""

    sequence: int
    hash: str


START = Head(0, "0" * 64)
"""Before the first record."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to record. At most one record has this `kind`, `client_id` and `id`."""

    kind: str
    client_id: str
    id: str
    event: bytes
    """JSON, UTF-8."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two entries the same."""
        return self.kind, self.client_id, self.id


@dataclass(frozen=True, slots=True)
class Batch:
    """An object of the chain: its key, its bytes, and the head once it is written."""

    key: str
    body: bytes
    head: Head


def seal(head: Head, entries: Sequence[Entry], recorded_at: datetime) -> Batch:
    """The object that continues the chain at `head` with the entries, at least one."""
    recorded_at = recorded_at.astimezone(UTC)
    lines, previous = [], head.hash
    for sequence, entry in enumerate(entries, head.sequence + 1):
        rest = opening(sequence, previous) + _rest(entry, recorded_at)
        previous = record_hash(rest)
        lines.append(b'{"hash":"%s",%s\n' % (previous.encode(), rest))
    last = head.sequence + len(entries)
    body = gzip.compress(b"".join(lines), _LEVEL, mtime=0)
    key = f"{PREFIX}{recorded_at:%Y-%m-%d}/{head.sequence + 1:016d}-{last:016d}.jsonl.gz"
    return Batch(key, body, Head(last, object_hash(body)))


def opening(sequence: int, previous: str) -> bytes:
    """How a record goes on after its own hash."""
    return b'"sequence":%d,"previous":"%s",' % (sequence, previous.encode())


def record_hash(rest: bytes) -> str:
    """Hash of a record, of its bytes after its own hash; hex."""
    return hashlib.sha256(RECORD + rest).hexdigest()


def object_hash(body: bytes) -> str:
    """Hash of an object, of its bytes as they are stored; hex."""
    digest = hashlib.sha256(OBJECT)
    digest.update(body)
    return digest.hexdigest()


def span(key: str) -> tuple[int, int] | None:
    """First and last sequence number of the object with this key; None for what is no object of a chain."""
    match = _KEY.fullmatch(key)
    return None if match is None else (int(match[1]), int(match[2]))


def _rest(entry: Entry, recorded_at: datetime) -> bytes:
    # Line breaks in JSON stand between its tokens only, where a blank is as good.
    event = entry.event.replace(b"\n", b" ").replace(b"\r", b" ")
    head = {"kind": entry.kind, "recorded_at": recorded_at, "client_id": entry.client_id, "id": entry.id}
    return to_json(head)[1:-1] + b',"event":' + event + b"}"
