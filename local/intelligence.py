"""Drift, patterns and retraining in the embedded installation: by the commands, in processes beside the server."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from assay.adapters.sqlite.intelligence import SqliteReportStore
from assay.adapters.sqlite.ledger import SqliteLedger
from local.background import Periodic

log = logging.getLogger(__name__)
LOOK_S = 900.0
"""Between looks, and before the first. A look in between steps ends at once."""
NICE = 10
"""Scoring goes first."""
LOOKS = (("drift", "--record"), ("patterns", "--record"))
RETRAIN = ("retrain", "--if-needed")


class Intelligence:
    """Looks again and again. `start` it, `stop` it."""

    def __init__(self, data: Path, models: Path, ledger: SqliteLedger, *, retrains: bool) -> None:
        """`data`, `models`: folders of the installation. `retrains`: new releases may be put into `models`."""
        self._commands = (*LOOKS, RETRAIN) if retrains else LOOKS
        self.store = SqliteReportStore(ledger)
        self._options = (f"--data-dir={data}", f"--models={models}")
        self._looking = Periodic("intelligence", self.look, LOOK_S, LOOK_S)

    def start(self) -> None:
        """Begins in the running event loop."""
        self._looking.start()

    async def stop(self) -> None:
        """Ends a look under way: what it found is kept all at once or not at all."""
        await self._looking.stop()

    async def look(self) -> None:
        """Looks once, now."""
        for command in self._commands:
            await run_apart(*command, *self._options)


async def run_apart(*command: str) -> None:
    """Runs an `assay` command in a process of its own, which ends with this task. What it says of errors is logged."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        _, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        log.warning("assay %s: %s", command[0], told.decode(errors="replace").strip()[-500:])
