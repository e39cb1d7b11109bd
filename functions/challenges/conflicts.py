"""Changes that others may come between: worked out again on what those left."""

from __future__ import annotations

from assay.problems import Problem, unavailable

ATTEMPTS = 50
"""At one change. Each that fails shows that another one got on, and of those a challenge has few."""


def busy() -> Problem:
    """All of them failed."""
    return unavailable("busy", "The challenge or app is changed by too many at once")
