"""A server process of our own, for the demo, the tests and the benchmarks: on a free port, always stopped."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from assay.errors import AssayError

PATIENCE_S = 30.0


@contextmanager
def running_server(data: Path, models: Path | None = None) -> Iterator[str]:
    """The base address of an `assay serve` process over the folder. Raises `AssayError` when it does not come up.

    `models`: its registry and the keys it trusts; the packaged ones, when none are named.
    """
    port = _free_port()
    command = [sys.executable, "-m", "local", "serve", "--port", str(port), "--data-dir", str(data)]
    if models is not None:
        command += ["--models", str(models)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program, fixed arguments
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(address, process)
        yield address
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Asks the process to finish, insists when it does not; returns its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssayError(f"the server stopped with exit code {process.returncode}")
        try:
            if httpx.get(f"{address}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssayError(f"the server was not ready within {PATIENCE_S:.0f} s")
