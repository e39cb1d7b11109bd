"""A figure: what was measured, what it should be, and whether it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Better = Literal["<=", ">="]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `measured` is None when it could not be measured; `note` then says why.

    A figure without a target is there to be read: the other side of a ratio, a part of a sum.
    """

    group: str
    what: str
    measured: float | None
    unit: str
    target: float | None = None
    better: Better = "<="
    compared_with: str = ""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None where there is no target."""
        if self.target is None:
            return None
        if self.measured is None:
            return False
        return self.measured <= self.target if self.better == "<=" else self.measured >= self.target


@dataclass(frozen=True, slots=True)
class Settings:
    """How much to measure. `quick` is a smoke run: it shows that everything works, not the figures."""

    quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        """An amount of work for the run."""
        return quick if self.quick else full


Measure = Callable[[Settings], list[Figure]]


def shown(value: float | None, unit: str) -> str:
    """A number as a person reads it: three significant digits, thousands separated."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def verdict(figure: Figure) -> str:
    """The last column."""
    if figure.reached is None:
        return "" if figure.measured is not None else "not measured"
    if figure.measured is None:
        return "not measured"
    return "yes" if figure.reached else "NO"


def cells(figure: Figure) -> tuple[str, str, str, str, str]:
    """What | measured | target | compared with | reached?"""
    target = "" if figure.target is None else f"{figure.better} {shown(figure.target, figure.unit)}"
    compared = figure.compared_with + (f" ({figure.note})" if figure.note and figure.compared_with else figure.note)
    return (f"{figure.group}: {figure.what}", shown(figure.measured, figure.unit), target, compared, verdict(figure))
