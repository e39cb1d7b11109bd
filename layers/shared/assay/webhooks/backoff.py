"""How long to wait before the next attempt."""

from __future__ import annotations


def full_jitter(attempt: int, first_s: float, longest_s: float, draw: float) -> float:
    """Seconds to wait after the failed `attempt` (1 is the first): anything up to a bound that doubles each time.

    Exponential backoff with full jitter: who failed together does not come back together. `draw`: a random number of
    [0, 1). The bound is `first_s` after the first attempt and never more than `longest_s`.
    """
    doublings = min(max(attempt, 1) - 1, 64)
    return draw * min(longest_s, first_s * 2.0**doublings)
