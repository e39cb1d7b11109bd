"""Where reports are printed."""

from __future__ import annotations

from rich.console import Console

WIDTH = 110


def wide_console() -> Console:
    """Standard output, never narrower than the tables: a narrow terminal wraps their lines, and nothing is cut."""
    return Console(width=max(WIDTH, Console().width))
