"""A bounded memory of entities that forgets in O(1) and never what was touched recently."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
E = TypeVar("E")


class Generations(Generic[K, E]):
    """Two generations: what is touched moves to the young one; when that is full it becomes the old one.

    At most `capacity` entities (but two) are kept, and the last capacity / 2 that were touched always are.
    """

    __slots__ = ("_full", "_load", "_old", "_young")

    def __init__(self, load: Callable[[K, int], E], capacity: int | None) -> None:
        """`load(key, time)` makes an entity that is not in memory."""
        self._load = load
        self._full = sys.maxsize if capacity is None else max(1, capacity // 2)
        self._young: dict[K, E] = {}
        self._old: dict[K, E] = {}

    def get(self, key: K, t: int) -> E:
        """The entity, from memory or loaded. `t` is the time of the event that asks."""
        entity = self._young.get(key)
        return self._fetch(key, t) if entity is None else entity

    def peek(self, key: K) -> E | None:
        """The entity if it is in memory."""
        entity = self._young.get(key)
        return self._old.get(key) if entity is None else entity

    def put(self, key: K, entity: E) -> None:
        """Keep an entity, in place of the one that was there."""
        if key not in self._young and len(self._young) >= self._full:
            self._old = self._young
            self._young = {}
        self._young[key] = entity

    def forget(self, key: K) -> None:
        """Drop an entity: it is loaded again when next asked for."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def _fetch(self, key: K, t: int) -> E:
        entity = self._old.get(key)
        if entity is None:
            entity = self._load(key, t)
        self.put(key, entity)
        return entity
