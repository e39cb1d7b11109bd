"""Where a log's anchor is: in the database beside its folder, or in a table of DynamoDB."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from assay.adapters.sqlite.audit import read_anchor
from assay.audit.verification import ReadAnchor
from assay.errors import StorageError
from assay.ports import AuditAnchor
from local.places import Places

S3 = "s3://"


def folder_anchor(folder: Path) -> ReadAnchor | None:
    """Reads the anchor of the log in the folder; None when there is no database beside it."""
    database = Places(folder.absolute().parent).database
    if not database.exists():
        return None

    async def read() -> AuditAnchor:
        return read_anchor(database)

    return read


def bucket_anchor(table: str) -> ReadAnchor:
    """Reads the anchor in the table."""
    from assay.adapters.aws.audit import DynamoAuditAnchorStore
    from assay.adapters.aws.clients import Clients

    async def read() -> AuditAnchor:
        async with Clients() as clients:
            return await DynamoAuditAnchorStore(await clients.open("dynamodb"), table).read()

    return read


def head(folder: Path, anchor_table: str | None) -> str:
    """The anchored head and the time, a line to keep elsewhere. Raises `StorageError`."""
    reader = folder_anchor(folder) if anchor_table is None else bucket_anchor(anchor_table)
    if reader is None:
        raise StorageError(f"{folder.parent}: no database")
    found = asyncio.run(_read(reader)).head
    return f"{found.sequence}:{found.hash} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


async def _read(reader: ReadAnchor) -> AuditAnchor:
    return await reader()
