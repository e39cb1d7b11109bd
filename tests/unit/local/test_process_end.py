"""A command's process ends with its code and its output whole, and tears nothing down under a library's threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BEFORE = """
import atexit, sys
from local.process_end import run_to_end

class Torn:
    def __del__(self):
        print("torn down")

kept = Torn()
"""


def run(command: str, standard_output: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", f"{BEFORE}\n{command}"],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=standard_output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        ("run_to_end(lambda: None)", 0, ""),
        ("run_to_end(sys.exit)", 0, ""),
        ("run_to_end(lambda: sys.exit(3))", 3, ""),
        ("run_to_end(lambda: sys.exit('why'))", 1, "why\n"),
        ("run_to_end(lambda: 1 / 0)", 1, "ZeroDivisionError"),
    ],
)
def test_the_code_and_the_error_are_those_of_the_command(command: str, code: int, error: str) -> None:
    done = run(command)
    assert (done.returncode, done.stdout) == (code, "")
    assert error in done.stderr


def test_what_is_registered_runs_and_all_output_arrives() -> None:
    done = run("run_to_end(lambda: (print('x' * 200_000), atexit.register(print, 'at exit')))")
    assert (done.returncode, done.stdout) == (0, "x" * 200_000 + "\nat exit\n")


def test_output_that_cannot_be_written_is_not_a_success() -> None:
    with Path("/dev/full").open("w") as full:
        assert run("run_to_end(lambda: print('lost'))", full.fileno()).returncode == 120


def test_without_it_the_interpreter_is_torn_down() -> None:
    assert run("").stdout == "torn down\n"
