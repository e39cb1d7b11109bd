"""A server process that a test may stop, kill and start again on the same port and the same folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from local.server_process import stop
from tests.harness.service import Service
from tests.harness.state import eventually

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = "local"
NAIVE = "tests.harness.naive_server"


def serve_command(module: str, port: int, data: Path) -> list[str]:
    """`assay serve`, as it or something like it is started."""
    return [sys.executable, "-m", module, "serve", "--port", str(port), "--data-dir", str(data)]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """One installation; at most one process at a time."""

    def __init__(self, data: Path, module: str = PRODUCT) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.service = Service(f"http://127.0.0.1:{self.port}", data, data / "stderr.log")
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process; does not wait."""
        assert self._process is None
        command = serve_command(self._module, self.port, self.service.data)
        with self.service.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)  # noqa: S603 - our own program

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
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal; does not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit code. Raises `subprocess.TimeoutExpired`."""
        assert self._process is not None
        code = self._process.wait(seconds)
        self._process = None
        return code

    def close(self) -> None:
        """Stops it, if it runs."""
        if self._process is not None:
            stop(self._process)
            self._process = None
