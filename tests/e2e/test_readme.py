"""What a new user does with the README in hand: its commands, as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.service import Service, running_service

ROOT = Path(__file__).resolve().parents[2]
WALK = re.compile(r"^```sh walk\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HERE = "API=http://127.0.0.1:8080 DATA=var"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path / "data") as running:
        yield running


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's commands use curl")
def test_from_the_first_admin_to_a_proven_record(service: Service, tmp_path: Path) -> None:
    walk = WALK.search((ROOT / "README.md").read_text())
    assert walk is not None and HERE in walk[1]
    there = f"API={service.address} DATA={service.data}"
    (tmp_path / "events").symlink_to(ROOT / "events")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    run = subprocess.run(  # noqa: S603
        ["bash", "-e", "-o", "pipefail", "-c", walk[1].replace(HERE, there)],  # noqa: S607
        cwd=tmp_path,
        env={**os.environ, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3_000:] + run.stderr[-3_000:]
    said = run.stdout
    for expected in ("DECLINE", "Subject: Assay: DECLINE", '"status":"sent"', '"id":"sample-blocked-1"', "exit code 1"):
        assert expected in said
    assert said.count("whole: ") == 2
    assert "broken at record 1" in said
