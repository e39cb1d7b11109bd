"""`kill -9` under retrying clients: nothing lost, nothing twice. And the proof that the harness would see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import crash
from tests.harness.process import forked_naive


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_forty_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    plan = crash.Plan(requests=2_000, kills=40, seed=seed)
    answers, faults = crash.run(plan, tmp_path / "data")
    assert not faults, faults[:20]
    assert len(answers.by_id) == plan.requests
    assert answers.retries > 0


def test_the_loss_of_a_naive_build_is_reported(tmp_path: Path) -> None:
    plan = crash.Plan(requests=800, kills=4, seed=1, launch=forked_naive)
    _, faults = crash.run(plan, tmp_path / "data")
    assert any("answered, and lost" in fault for fault in faults), faults
