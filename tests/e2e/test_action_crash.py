"""`kill -9` of the consumer, with a card system that fails as well: each action exactly once in effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import action_crash


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_kills_leave_each_action_exactly_once(tmp_path: Path, seed: int) -> None:
    faults = action_crash.run(action_crash.Plan(accounts=120, kills=10, seed=seed), tmp_path / "data")
    assert not faults, faults
