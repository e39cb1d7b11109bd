"""A seed that a library would refuse in the middle of the work is refused before it."""

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
