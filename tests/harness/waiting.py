"""Waiting for what another process does."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic

WAIT_S = 60.0


def eventually(holds: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Returns when it holds; fails when it does not within the time."""
    end, pause = monotonic() + within_s, Event()
    while not holds():
        assert monotonic() < end, f"it has not come true in {within_s:.0f} s"
        pause.wait(0.05)
