"""The installation's ledger beside a server, or without one: opened for one piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.errors import StorageError

T = TypeVar("T")


def with_ledger(database: Path, work: Callable[[SqliteLedger], Awaitable[T]]) -> T:
    """What the work gives. Raises `StorageError` when there is no database."""

    async def run() -> T:
        ledger = SqliteLedger(database)
        try:
            return await work(ledger)
        finally:
            await ledger.close()

    if not database.is_file():
        raise StorageError(f"{database}: there is no database")
    return asyncio.run(run())
