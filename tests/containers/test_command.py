"""`make sam-local`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.aws.docker import docker
from local.aws.processes import free_port
from local.aws.sam import CONTAINER
from local.aws.stack import ROOT, LocalAws
from tests.harness.waiting import eventually

START_S = 480
STOP_S = 60


@dataclass(frozen=True)
class Command:
    """The command, running and greeting."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    def containers_left(self) -> set[str]:
        """Of those that it has started."""
        logs = "".join(log.read_text() for log in (self.folder / "aws").glob("sam-*.log"))
        started = set(CONTAINER.findall(logs))
        assert started
        return started & set(docker("ps", "--all", "--quiet", "--no-trunc").split())

    def child(self, word: str) -> int:
        """Id of the one child that has the word on its command line."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        (found,) = [int(child) for child in children if word in Path(f"/proc/{child}/cmdline").read_text().split("\0")]
        return found


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    arguments = ["-m", "local.aws", "--port", str(free_port("127.0.0.1")), "--data-dir", str(tmp_path)]
    with (tmp_path / "output").open("wb") as file:
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)  # noqa: S603
    running = Command(process, tmp_path)
    try:
        eventually(lambda: "Ctrl-C" in running.output or process.poll() is not None, START_S)
        assert process.poll() is None, running.output
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(STOP_S)


def test_one_ctrl_c_stops_it_all(command: Command) -> None:
    curl = re.search(r"^curl .*\n.*$", command.output, re.MULTILINE)
    assert curl
    pasted = subprocess.run(["bash", "-c", curl[0]], cwd=ROOT, capture_output=True, text=True, timeout=60)  # noqa: S603, S607
    assert json.loads(pasted.stdout)["decision"] in {"CHALLENGE", "DECLINE"}, pasted

    command.process.send_signal(signal.SIGINT)
    assert command.process.wait(STOP_S) == 0, command.output
    assert not command.containers_left()


def test_a_part_that_dies_takes_everything_down_and_says_so(command: Command) -> None:
    os.kill(command.child("start-lambda"), signal.SIGKILL)
    assert command.process.wait(STOP_S) == 1
    assert "sam-lambda stopped with exit code -9" in command.output
    assert "Traceback" not in command.output.partition("sam-lambda stopped")[0]
    assert not command.containers_left()


def test_a_taken_port_is_said_at_once(aws: LocalAws, tmp_path: Path) -> None:
    port = aws.api_url.rpartition(":")[2]
    command = [sys.executable, "-m", "local.aws", "--port", port, "--data-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
    assert "Traceback" not in done.stderr
