"""A server process that a test may stop, kill and start again on the same port and the same folder."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx

from tests.harness.forked import Forked
from tests.harness.service import Service
from tests.harness.state import eventually

ROOT = Path(__file__).resolve().parents[2]
NAIVE = "tests.harness.naive_server"
PATIENCE_S = 30.0


class Process(Protocol):
    """What is used of `subprocess.Popen`."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int) -> None: ...
    def kill(self) -> None: ...


Launch = Callable[[list[str], Path], Process]
"""Starts `assay` with the options, its output going to the file."""


def spawned(options: list[str], log: Path) -> Process:
    """The command itself."""
    with log.open("ab") as output:
        command = [sys.executable, "-m", "local", *options]
        return subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT)  # noqa: S603 - our own program


def forked(options: list[str], log: Path) -> Process:
    """The same without the imports."""
    return Forked(options, log, None)


def forked_naive(options: list[str], log: Path) -> Process:
    """One that answers before its commits are durable."""
    return Forked(options, log, NAIVE)


def serve_options(port: int, data: Path) -> list[str]:
    """For `assay`."""
    return ["serve", "--port", str(port), "--data-dir", str(data)]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """One installation; at most one process at a time."""

    def __init__(self, data: Path, launch: Launch = spawned) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.service = Service(f"http://127.0.0.1:{self.port}", data, data / "stderr.log")
        self._launch = launch
        self._process: Process | None = None

    def start(self) -> None:
        """Starts the process; does not wait."""
        assert self._process is None
        self._process = self._launch(serve_options(self.port, self.service.data), self.service.log)

    def wait_until_ready(self) -> None:
        """Returns once it answers; fails when the process has ended."""
        process = self._process
        assert process is not None

        def ready() -> bool:
            assert process.poll() is None, self.service.log.read_text()[-2_000:]
            try:
                return httpx.get(f"{self.service.address}/ready").status_code == 200
            except httpx.TransportError:
                return False

        eventually(ready, bool, "readiness")

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def terminate(self) -> None:
        """SIGTERM; does not wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """The exit code. Raises `subprocess.TimeoutExpired`."""
        assert self._process is not None
        code = self._process.wait(seconds)
        self._process = None
        return code

    def close(self) -> None:
        """Stops it, if it runs."""
        if self._process is None:
            return
        self.terminate()
        try:
            self.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
