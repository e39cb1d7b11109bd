"""Servers that are forked from a process which has imported everything already: forty starts in seconds.

Each one opens its release and its file by itself, as `assay serve` does; only the imports are not repeated.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from importlib import import_module
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "local.cli", "local.server", "tests.harness.naive_server"])


class Forked:
    """A child, as `subprocess.Popen` has it."""

    def __init__(self, options: list[str], log: Path, fault: str | None) -> None:
        """`fault`: a module whose `install` is called first."""
        self._child = CONTEXT.Process(target=_serve, args=(options, str(log), fault), daemon=True)
        self._child.start()

    def poll(self) -> int | None:
        """The exit code, once there is one."""
        return self._child.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises `subprocess.TimeoutExpired`."""
        self._child.join(timeout)
        if self._child.exitcode is None:
            raise subprocess.TimeoutExpired("serve", timeout or 0.0)
        return self._child.exitcode

    def send_signal(self, number: int) -> None:
        """Sends it."""
        assert self._child.pid is not None
        os.kill(self._child.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self._child.kill()


def _serve(options: list[str], log: str, fault: str | None) -> None:
    from local.cli import app

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    if fault is not None:
        import_module(fault).install()
    app(options)
