"""Finds a transaction's record in the audit log of a data folder."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.audit import find_records
from assay.audit.chain import PREFIX, span
from assay.audit.reading import Record, lines, parse
from assay.errors import StorageError
from local.embedded import Places

KIND = "transaction.scored"


def find(places: Places, transaction: str, client: str | None) -> Record:
    """The record, checked against its own hash; `assay audit verify` proves its place. Raises `AssayError`."""
    if not places.database.exists():
        raise StorageError(f"{places.data}: no database")
    found = find_records(places.database, KIND, transaction)
    matching = [(name, sequence) for name, sequence in found if client in (None, name)]
    if not matching:
        raise StorageError(f"{transaction}: not in the audit log")
    if len(matching) > 1:
        names = ", ".join(name for name, _ in matching)
        raise StorageError(f"{transaction}: several clients used this id ({names}); name one with --client")
    return asyncio.run(_read(FolderArchive(places.audit), matching[0][1]))


def shown(record: Record) -> str:
    """The record as JSON to read."""
    return json.dumps(asdict(record), indent=2, ensure_ascii=False)


async def _read(archive: FolderArchive, sequence: int) -> Record:
    for key in await archive.keys(PREFIX):
        place = span(key)
        if place is not None and place[0] <= sequence <= place[1]:
            for number, line in enumerate(lines(key, await archive.get(key) or b"", None), place[0]):
                if number == sequence:
                    return parse(line)
    raise StorageError(f"record {sequence} is not in the audit log's folder; see assay audit verify")
