"""What entry points share that a schedule calls too: which event that is, and how long they may go on."""

from __future__ import annotations

from typing import Any, Protocol

RESERVE_MS = 14_000
"""For the attempts under way when time runs out, of 10 s at most, and for what is kept of them."""
_SCHEDULED = "Scheduled Event"


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Until the invocation is cut off."""
        ...


def is_scheduled(event: Any) -> bool:  # noqa: ANN401 - any JSON may arrive
    """Whether it is a rule of EventBridge that calls."""
    return isinstance(event, dict) and event.get("detail-type") == _SCHEDULED


def has_time(context: Context) -> bool:
    """Whether another attempt may begin."""
    return context.get_remaining_time_in_millis() > RESERVE_MS
