"""Child processes: output to a file, stopped by their id, never left behind."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Self

from local.aws.errors import LocalAwsError

STOP_S = 20.0
TAIL_LINES = 15


class Child:
    """A running program, in a session of its own: a Ctrl-C in the terminal reaches only its parent."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Starts it. Raises `LocalAwsError` when there is no such program."""
        self.name = name
        self.log = log
        with log.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    start_new_session=True,
                )
            except OSError as error:
                raise LocalAwsError(f"{name} cannot be started: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def finish(self, timeout_s: float) -> None:
        """Waits for its end. Raises `LocalAwsError` when that is not a success, or does not come."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise LocalAwsError(f"{self.name} took more than {timeout_s:.0f} s\n{self._tail()}") from None
        if code != 0:
            raise LocalAwsError(f"{self.name} failed with exit code {code}\n{self._tail()}")

    def check(self) -> None:
        """Raises `LocalAwsError` when it has ended."""
        code = self._process.poll()
        if code is not None:
            raise LocalAwsError(f"{self.name} stopped with exit code {code}\n{self._tail()}")

    def stop(self) -> None:
        """Asks it to end, and kills it when it does not."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"--- the end of {self.log}", *lines])


def wait_until_open(child: Child, address: tuple[str, int], deadline_s: float) -> None:
    """Waits until the child takes connections. Raises `LocalAwsError` when it ends, or the time does."""
    end, pause = monotonic() + deadline_s, Event()
    while True:
        child.check()
        try:
            socket.create_connection(address, 1).close()
        except OSError:
            if monotonic() > end:
                raise LocalAwsError(
                    f"{child.name} is not listening after {deadline_s:.0f} s; see {child.log}"
                ) from None
            pause.wait(0.1)
        else:
            return


def free_port(host: str, port: int = 0) -> int:
    """A port that can be listened on now: the given one, any when it is 0. Raises `LocalAwsError` when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LocalAwsError(f"{host}:{port} cannot be listened on: {error.strerror}") from error
        chosen: int = probe.getsockname()[1]
        return chosen
