"""Reads objects of the chain and checks them as it goes. The place where a chain breaks is an exception."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assay.audit.chain import PREFIX, RECORD, Entry, object_hash, opening, span
from assay.errors import AssayError, StorageError
from assay.ports import Archive, AuditPlace

MAX_OBJECT = 256 << 20
"""Bytes an object may unpack to: a forged one must not fill the memory."""
_GZIP = 31  # zlib's name for one gzip member
_BEGIN, _HASH_END, _REST = b'{"hash":"', 73, 75


class BrokenChain(AssayError):  # noqa: N818 - what it is, in the field's words
    """The first place where a chain does not hold."""

    def __init__(self, key: str, sequence: int, reason: str) -> None:
        """`sequence`: of the record that should have been there."""
        super().__init__(f"broken at record {sequence} ({key}): {reason}")
        self.key = key
        self.sequence = sequence
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was written."""

    sequence: int
    hash: str
    kind: str
    recorded_at: str
    client_id: str
    id: str
    event: dict[str, Any]


def check(key: str, body: bytes, previous: str) -> str:
    """Checks the object at its place in the chain, after the object with the hash `previous`; returns its own hash.

    Raises `BrokenChain`.
    """
    for _ in lines(key, body, previous):
        pass
    return object_hash(body)


def lines(key: str, body: bytes, previous: str | None) -> Iterator[bytes]:
    """The object's records, one by one, each after it was checked. Raises `BrokenChain`.

    With `previous` None the object is checked by itself: that it continues the one before is not looked at.
    """
    first, last = _span(key)
    sequence = first
    unpacked = _unpack(key, first, body).split(b"\n")
    if unpacked.pop():
        raise BrokenChain(key, last, "its last line is not whole")
    if previous is None:
        previous = unpacked[0].partition(b'"previous":"')[2][:64].decode("ascii", "replace") if unpacked else ""
    hasher = hashlib.sha256(RECORD)
    for line in unpacked:
        if not line.startswith(_BEGIN) or not line.startswith(opening(sequence, previous), _REST):
            raise BrokenChain(key, sequence, "does not continue the record before")
        digest = hasher.copy()
        digest.update(memoryview(line)[_REST:])
        previous = digest.hexdigest()
        if line[len(_BEGIN) : _REST] != b'%s",' % previous.encode():
            raise BrokenChain(key, sequence, "its content does not have its hash")
        yield line
        sequence += 1
    if sequence != last + 1:
        raise BrokenChain(key, sequence, f"the object should end with record {last}")


def parse(line: bytes) -> Record:
    """A checked record, for reading. Raises `ValueError` or `KeyError` for what no `seal` has written."""
    fields = json.loads(line)
    names = ("sequence", "hash", "kind", "recorded_at", "client_id", "id", "event")
    return Record(*(fields[name] for name in names))


def entries(key: str, body: bytes, previous: str) -> list[Entry]:
    """The entries of a checked object, without their events. Raises `BrokenChain`."""
    records = [parse(line) for line in lines(key, body, previous)]
    return [Entry(record.kind, record.client_id, record.id, b"") for record in records]


async def read_record(archive: Archive, place: AuditPlace) -> bytes:
    """The line of the record, checked by itself; that it is in its place is for `verify`.

    Raises `StorageError` when it is not there, and `BrokenChain`.
    """
    for key in [place.key] if place.key else await archive.keys(PREFIX):
        first, last = span(key) or (0, 0)
        if first <= place.sequence <= last and (body := await archive.get(key)) is not None:
            return next(line for number, line in enumerate(lines(key, body, None), first) if number == place.sequence)
    raise StorageError(f"record {place.sequence} is not where the audit log is; see assay audit verify")


def _span(key: str) -> tuple[int, int]:
    found = span(key)
    if found is None:
        raise BrokenChain(key, 0, "not an object of the audit log")
    return found


def _unpack(key: str, first: int, body: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body, MAX_OBJECT)
    except zlib.error as error:
        raise BrokenChain(key, first, f"the object cannot be unpacked: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise BrokenChain(key, first, "the object is not one whole gzip file")
    return unpacked
