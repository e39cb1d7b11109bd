"""One fault for the embedded server: it answers before the commit is durable. What the crash test must find."""

from __future__ import annotations

import asyncio

from assay.adapters.sqlite.group_commit import GroupCommit, Unit
from assay.adapters.sqlite.ledger import INSERT_DECISION

LATE_S = 0.2
durable = GroupCommit.commit
tasks: set[asyncio.Task[None]] = set()


def install() -> None:
    """From now on this process commits late."""
    GroupCommit.commit = _commit  # type: ignore[method-assign]


async def _commit(self: GroupCommit, unit: Unit) -> None:
    """Says that it is done, does it later; only what consumers commit is as in the product."""
    if INSERT_DECISION not in (statement for statement, _ in unit):
        await durable(self, unit)
        return
    task = asyncio.create_task(_later(self, unit))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _later(self: GroupCommit, unit: Unit) -> None:
    await asyncio.sleep(LATE_S)
    await durable(self, unit)
