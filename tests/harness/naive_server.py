"""The embedded server with one fault built in: it answers before the commit is durable.

What the crash test must find. Only the first commit, which registers the consumers, is as in the product.
"""

from __future__ import annotations

import asyncio

from assay.adapters.sqlite.group_commit import GroupCommit, Unit
from local.cli import main

LATE_S = 0.2
durable = GroupCommit.commit


async def commit(self: GroupCommit, unit: Unit) -> None:
    """Says that it is done; does it later."""
    if self not in opened:
        opened.append(self)
        await durable(self, unit)
        return

    async def later() -> None:
        await asyncio.sleep(LATE_S)
        await durable(self, unit)

    task = asyncio.create_task(later())
    tasks.add(task)
    task.add_done_callback(tasks.discard)


opened: list[GroupCommit] = []
tasks: set[asyncio.Task[None]] = set()

if __name__ == "__main__":
    GroupCommit.commit = commit  # type: ignore[method-assign]
    main()
