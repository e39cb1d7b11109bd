"""Processes a benchmark starts, and stops by their own ids whatever happens."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmarks.machine import ROOT

HOST = "127.0.0.1"
SET_PARENT_DEATH_SIGNAL = 1
TICKS = os.sysconf("SC_CLK_TCK")


class NotReadyError(RuntimeError):
    """A process that a benchmark needs did not come up. The message ends with its last output."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, insist; only this process, by its id."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(8)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(8)


@contextmanager
def running(argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives as long as the block, in a session of its own so that Ctrl-C is ours to handle."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    try:
        yield process
    finally:
        stop(process)


def http_status(port: int, path: str) -> int | None:
    """Status of one GET; None when nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def wait_ready(process: subprocess.Popen[bytes], port: int, path: str, log: Path, seconds: float = 60) -> None:
    """Poll `path` until it answers 200. Raises NotReadyError when the process ends or the time is up."""
    until = time.monotonic() + seconds
    while http_status(port, path) != 200:
        if process.poll() is not None or time.monotonic() > until:
            tail = log.read_text("utf-8", "replace")[-1500:]
            raise NotReadyError(f"{' '.join(map(str, process.args))[-160:]}: {path} never answered 200. {tail}")  # type: ignore[arg-type]
        time.sleep(0.005)


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that these processes have used up to now."""
    total = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def settle(pids: Sequence[int], seconds: float = 15) -> float:
    """Wait until the processes are idle, so that one server's unfinished work never slows the next one's turn.

    Returns how long that took (s).
    """
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        before = cpu_seconds(pids)
        time.sleep(0.25)
        if cpu_seconds(pids) - before <= 0.02:
            break
    return time.monotonic() - start


def stop_on_terminate() -> None:
    """SIGTERM ends this process like Ctrl-C does: through the context managers."""

    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
