"""A circuit breaker: an endpoint that fails again and again is left alone for a while, then tried once."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed while there are fewer than `threshold` failures in a row, then open until `retry_at`, then half-open.

    Pure: the methods give the next breaker. Times in one unit, of any clock that does not go back.
    """

    threshold: int
    cooldown: int
    failures: int = 0
    """In a row."""
    retry_at: int = 0

    def allows(self, now: int, most: int) -> int:
        """How many attempts may begin now: `most` when closed, none when open, one when half-open."""
        if self.failures < self.threshold:
            return most
        return 0 if now < self.retry_at else 1

    def succeeded(self) -> Breaker:
        """After an attempt that the endpoint answered as it should: closed."""
        return replace(self, failures=0)

    def failed(self, now: int) -> Breaker:
        """After an attempt that it did not: one more failure, and a new wait."""
        return replace(self, failures=self.failures + 1, retry_at=now + self.cooldown)
