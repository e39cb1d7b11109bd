"""`kill -9` in the middle: each event is in the feed exactly once, without a gap, and arrives."""

from __future__ import annotations

from pathlib import Path

from tests.harness import client_event_crash


def test_four_kills_leave_each_event_exactly_once(tmp_path: Path) -> None:
    faults = client_event_crash.run(client_event_crash.Plan(declines=25, kills=4, seed=1), tmp_path / "data")
    assert not faults, faults
