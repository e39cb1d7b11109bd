"""What would fail in the middle of the work is refused before it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from local.cli import app

COMMANDS = ["train", "retrain", "simulate", "evaluate simulator", "evaluate handbook"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("seed", ["-1", "10000000000", "seven"])
def test_a_seed_out_of_range_is_refused(command: str, seed: str) -> None:
    refused = CliRunner().invoke(app, [*command.split(), "--seed", seed])
    assert refused.exit_code == 2
    assert "'--seed'" in refused.output


@pytest.mark.parametrize("url", ["garbage", "localhost:8080", "ftp://127.0.0.1"])
def test_a_server_that_cannot_be_asked_is_refused(url: str) -> None:
    refused = CliRunner().invoke(app, ["simulate", "--url", url, "--token", "t"])
    assert refused.exit_code == 2
    assert "--url" in refused.output
