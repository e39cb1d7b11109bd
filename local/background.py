"""Work of the embedded installation that nobody asks for: it is looked at again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Periodic:
    """Runs the work in a task, with a pause in between. A fault is logged, and the next run is the retry."""

    def __init__(
        self, name: str, work: Callable[[], Awaitable[object]], idle_s: float, first_after_s: float = 0.0
    ) -> None:
        """`idle_s`: the pause; `first_after_s`: one before the first run."""
        self._name = name
        self._work = work
        self._idle_s = idle_s
        self._first_after_s = first_after_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stops where it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.sleep(self._first_after_s)
        while True:
            try:
                await self._work()
            except Exception:
                log.exception("%s: is tried again", self._name)
            await asyncio.sleep(self._idle_s)
