"""How many mails a route may send: a few of their own per window, one digest of the rest when the window ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

from assay.features.windows import HOUR

LONGEST = HOUR
"""A storm that goes on is told of more and more rarely, down to this."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a route."""

    mails: int
    """About one alert each, per window."""
    window: int
    """In microseconds."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time that began with an alert. Moments in microseconds."""

    start: int
    end: int
    """Exclusive; its digest is due then."""
    mails: int = 0
    """Mails about one alert that may still be sent in it."""
    digested: int = 0
    """Alerts that wait for its end."""


def place(window: Window | None, limits: Limits, now: int) -> tuple[Window, bool]:
    """The window with an alert of this moment counted; True when the alert gets a mail of its own."""
    if window is None or not window.start <= now < window.end:
        window = _next(window, limits, now)
    if window.mails > 0:
        return replace(window, mails=window.mails - 1), True
    return replace(window, digested=window.digested + 1), False


def _next(last: Window | None, limits: Limits, now: int) -> Window:
    """A new window; after one that overflowed a moment ago a longer one, in which all wait for the digest."""
    if last is None or not last.digested or not 0 <= now - last.end < limits.window:
        return Window(now, now + limits.window, limits.mails)
    length = min(2 * (last.end - last.start), max(LONGEST, limits.window))
    return Window(now, now + length)
