"""DynamoDB request units of an API call, by AWS's published rules (the emulation does not count them)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

WRITE_BYTES, READ_BYTES = 1024, 4096
SMALLEST = 1
Item = Mapping[str, Mapping[str, Any]]


def item_bytes(item: Item) -> int:
    """Size of an item as DynamoDB counts it: names and values, numbers at two digits a byte."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content)
    if kind == "N":
        return len(content.strip("-").replace(".", "")) // 2 + 2
    return 1


def write_units(size: int, transactional: bool) -> int:
    """Units of writing (or deleting) one item of this size."""
    return max(SMALLEST, math.ceil(size / WRITE_BYTES)) * (2 if transactional else 1)


def read_units(size: int, consistent: bool) -> float:
    """Units of one read that touches this many bytes."""
    return max(SMALLEST, math.ceil(size / READ_BYTES)) * (1.0 if consistent else 0.5)
