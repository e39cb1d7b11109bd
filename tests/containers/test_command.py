"""`make sam-local`: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from local.aws.docker import docker
from local.aws.processes import free_port
from local.aws.sam import CONTAINER
from local.aws.stack import ROOT, LocalAws
from tests.harness.waiting import eventually

START_S = 240
STOP_S = 60


def test_one_ctrl_c_stops_it_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.aws", "--port", str(free_port("127.0.0.1")), "--data-dir", str(tmp_path)]
    output = tmp_path / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)  # noqa: S603
    try:
        eventually(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, START_S)
        assert process.poll() is None, output.read_text()
        curl = re.search(r"^curl .*\n.*$", output.read_text(), re.MULTILINE)
        assert curl
        pasted = subprocess.run(["bash", "-c", curl[0]], cwd=ROOT, capture_output=True, text=True, timeout=60)  # noqa: S603, S607
        assert json.loads(pasted.stdout)["decision"] in {"CHALLENGE", "DECLINE"}, pasted
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(STOP_S)
    assert code == 0, output.read_text()
    logs = "".join(log.read_text() for log in (tmp_path / "aws").glob("sam-*.log"))
    started = set(CONTAINER.findall(logs))
    assert started
    assert not started & set(docker("ps", "--all", "--quiet", "--no-trunc").split())


def test_a_taken_port_is_said_at_once(aws: LocalAws, tmp_path: Path) -> None:
    port = aws.api_url.rpartition(":")[2]
    command = [sys.executable, "-m", "local.aws", "--port", port, "--data-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)  # noqa: S603
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
    assert "Traceback" not in done.stderr
