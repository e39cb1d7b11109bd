"""Small charts as inline SVG: no script, nothing loaded from elsewhere. All return safe markup."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from markupsafe import Markup

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 380, 260, 46, 34, 12
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - 12, HEIGHT - BOTTOM - TOP
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
Point = tuple[float, float]


def _x(value: float) -> float:
    return round(LEFT + value * PLOT_WIDTH, 1)


def _y(value: float) -> float:
    return round(TOP + (1 - value) * PLOT_HEIGHT, 1)


def _frame(across: str, up: str, y_labels: Sequence[tuple[float, str]], body: str) -> Markup:
    """Axes 0..1 in plot units, with their names."""
    parts = [f'<path class="axis" d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}"/>']
    parts += [f'<text x="{_x(tick)}" y="{_y(0) + 14}" text-anchor="middle">{tick:g}</text>' for tick in TICKS]
    parts += [f'<text x="{_x(0) - 4}" y="{_y(at) + 4}" text-anchor="end">{text}</text>' for at, text in y_labels]
    parts.append(f'<text x="{_x(0.5)}" y="{HEIGHT - 3}" text-anchor="middle">{escape(across)}</text>')
    parts.append(f'<text x="{_x(0) + 6}" y="{TOP + 4}">{escape(up)}</text>')
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return Markup(f'<svg {size} role="img" aria-label="{escape(up)} by {escape(across)}">{"".join(parts)}{body}</svg>')  # noqa: S704 - made here


def curve(across: str, up: str, points: Sequence[Point], *, diagonal: bool = False, dots: bool = False) -> Markup:
    """A line through points in 0..1 x 0..1."""
    steps = "L".join(f"{_x(x)} {_y(y)}" for x, y in points)
    body = f'<path class="guide" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>' if diagonal else ""
    body += f'<path class="curve a" d="M{steps}"/>' if points else ""
    if dots:
        body += "".join(f'<circle class="fa" cx="{_x(x)}" cy="{_y(y)}" r="3"/>' for x, y in points)
    return _frame(across, up, [(tick, f"{tick:g}") for tick in TICKS], body)


def histogram(across: str, counts: Sequence[tuple[int, int]], names: tuple[str, str]) -> Markup:
    """Pairs of counts in equal bins of 0..1, on a logarithmic scale: first and second kind side by side."""
    largest = max(max(pair) for pair in counts)
    decades = len(str(largest))
    width = PLOT_WIDTH / len(counts) / 2 - 1
    body = ""
    for index, pair in enumerate(counts):
        for kind, count in enumerate(pair):
            # A single one stands a little above the axis; none does not show.
            height = PLOT_HEIGHT * (_decades(count) / decades)
            left = LEFT + PLOT_WIDTH * index / len(counts) + kind * (width + 1)
            body += (
                f'<rect class="{("fa", "fb")[kind]}" x="{left:.1f}" y="{_y(0) - height:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}"/>'
            )
    legend = f"{names[0]} and {names[1]} (logarithmic)"
    return _frame(across, legend, [(power / decades, f"{10**power:,}") for power in range(decades + 1)], body)


def _decades(count: int) -> float:
    """Decades of a count; a little for one, nothing for none."""
    return max(0.08, log10(count)) if count else 0.0


def bars(rows: Sequence[tuple[str, float]], unit: str) -> Markup:
    """Horizontal bars of shares 0..1, longest as wide as there is room."""
    longest = max((value for _, value in rows), default=1.0) or 1.0
    step, names, room = 18, 190, 150
    body = ""
    for index, (name, value) in enumerate(rows):
        y, width = 4 + index * step, room * value / longest
        body += f'<text x="{names - 6}" y="{y + 11}" text-anchor="end">{escape(name)}</text>'
        body += f'<rect class="fa" x="{names}" y="{y}" width="{width:.1f}" height="13"/>'
        body += f'<text x="{names + width + 5:.1f}" y="{y + 11}">{100 * value:.1f} %</text>'
    height = 8 + step * len(rows)
    size = f'width="{names + room + 60}" height="{height}" viewBox="0 0 {names + room + 60} {height}"'
    return Markup(f'<svg {size} role="img" aria-label="{escape(unit)}">{body}</svg>')  # noqa: S704 - made here
