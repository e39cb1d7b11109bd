"""A drift that is planted: from some day on, stories are told more often, or money is worth less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from training.simulator.draft import Draft, Payment
from training.simulator.stories import NAMES

AMOUNTS = "amounts"
KINDS = (*NAMES, AMOUNTS)


@dataclass(frozen=True, slots=True)
class Shift:
    """Factors per kind: a story's name (how often it begins) or `amounts` (all of them), from `from_day` on."""

    factors: Mapping[str, float] = field(default_factory=dict)
    from_day: int = 0

    def __post_init__(self) -> None:
        """ValueError for an unknown kind or a factor out of range."""
        for kind, factor in self.factors.items():
            if kind not in KINDS:
                raise ValueError(f"no {kind!r} to shift; there are {', '.join(KINDS)}")
            if not 0.0 <= factor <= 100.0 or (kind == AMOUNTS and factor == 0):
                raise ValueError(f"{kind}: a factor is above 0 and at most 100 (0 ends a story)")

    def of(self, kind: str, day: int) -> float:
        """The factor of this kind on this day."""
        return self.factors.get(kind, 1.0) if day >= self.from_day else 1.0

    def inflate(self, drafts: Iterable[Draft], day: int) -> None:
        """The day's payments at the day's prices."""
        factor = self.of(AMOUNTS, day)
        if factor != 1.0:
            for draft in drafts:
                if isinstance(draft, Payment):
                    draft.euros *= factor


NO_SHIFT = Shift()
