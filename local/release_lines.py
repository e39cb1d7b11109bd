"""What is other in a release, as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def lines(found: dict[str, Any]) -> Iterator[str]:
    """`found`: as of `assay.release.difference`."""
    yield f"{found['before']['version']}  {found['before']['hash'][:12]}"
    yield f"{found['after']['version']}  {found['after']['hash'][:12]}"
    yield from _rules(found["rules"])
    for part in ("policy", "thresholds", "metrics", "libraries"):
        yield from _pairs(part, found[part])
    for model, moved in found["features"].items():
        yield f"features of {model}: {_signed(moved)}"
    yield from _pairs("bytes", {name: pair for name, pair in found["bytes"].items() if pair[0] != pair[1]})
    yield f"files that are other: {', '.join(found['files']) or 'none'}"


def _rules(rules: dict[str, Any]) -> Iterator[str]:
    if rules["added"] or rules["removed"]:
        yield f"rules: {_signed(rules)}"
    for id_, changed in rules["changed"].items():
        yield from _pairs(f"rule {id_}", changed)
    if rules["reordered"]:
        yield "rules: in another order"
    if rules["escalation"]:
        yield from _pairs("rules", {"escalation": rules["escalation"]})


def _pairs(part: str, changes: dict[str, list[Any]]) -> Iterator[str]:
    for name, (before, after) in changes.items():
        yield f"{part}: {name}: {_shown(before)} -> {_shown(after)}"


def _signed(moved: dict[str, Any]) -> str:
    return " ".join([*(f"+{name}" for name in moved["added"]), *(f"-{name}" for name in moved["removed"])])


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    return f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)
