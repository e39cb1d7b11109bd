"""Finds a record in the audit log of a data folder."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.audit import find_records
from assay.audit.reading import Record, parse, read_record
from assay.errors import StorageError
from local.ledger import existing
from local.places import Places


def find(places: Places, id: str, client: str | None, kind: str | None = None) -> Record:  # noqa: A002
    """The record of a transaction or of another event, by its id, checked against its own hash.

    `assay audit verify` proves its place. Raises `AssayError`.
    """
    found = find_records(existing(places.database), id)
    matching = [record for record in found if client in (None, record.client_id) and kind in (None, record.kind)]
    if not matching:
        raise StorageError(f"{id}: not in the audit log")
    if len(matching) > 1:
        names = ", ".join(record.client_id for record in matching)
        raise StorageError(f"{id}: several clients used this id ({names}); name one with --client")
    return parse(asyncio.run(read_record(FolderArchive(places.audit), matching[0].place)))


def shown(record: Record) -> str:
    """The record as JSON to read."""
    return json.dumps(asdict(record), indent=2, ensure_ascii=False)
