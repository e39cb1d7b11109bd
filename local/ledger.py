"""The installation's file, opened by a command: beside a running server or without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from assay.adapters.sqlite.ledger import SqliteLedger
from assay.errors import StorageError

Answer = TypeVar("Answer")


def with_ledger(database: Path, work: Callable[[SqliteLedger], Awaitable[Answer]]) -> Answer:
    """Does the work on the installation's file. Raises `StorageError`, also when there is no such file."""

    async def run() -> Answer:
        async with SqliteLedger(database) as ledger:
            return await work(ledger)

    existing(database)
    return asyncio.run(run())


def existing(database: Path) -> Path:
    """The installation's file. Raises `StorageError` when there is none: nothing makes one by asking."""
    if not database.exists():
        raise StorageError(f"{database}: there is no database")
    return database
