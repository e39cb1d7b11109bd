"""The drift section of policy.yaml: what is looked at, and from where on it is a warning or an alarm."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from assay.schemas.base import Contract

Above = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
WEEK_H = 168


class Limits(Contract):
    """Inclusive."""

    warning: Above
    alarm: Above

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.warning > self.alarm:
            raise PydanticCustomError("order", "warning must be not above alarm")
        return self


class DriftPolicy(Contract):
    """Limits of each measure, and of what is too little to be measured."""

    psi: Limits = Limits(warning=0.1, alarm=0.25)
    """Population stability index, less what chance alone makes of it."""
    ks: Limits = Limits(warning=0.1, alarm=0.2)
    """Kolmogorov-Smirnov, of numbers."""
    rate: Limits = Limits(warning=1.5, alarm=2.5)
    """How many times a rate (of decisions, of fraud) is up or down."""
    outcome: Limits = Limits(warning=0.05, alarm=0.1)
    """By how much recall or precision is down."""
    significance: Share = 1e-4
    """What is more probable than this without any drift is passed over, however far apart."""
    step_hours: Annotated[int, Field(ge=1, le=24)] = 6
    """How often it is looked: windows end at multiples of it. Divides 24."""
    windows_hours: Annotated[list[Annotated[int, Field(ge=1, le=4 * WEEK_H)]], Field(min_length=1, max_length=4)] = [
        24,
        WEEK_H,
    ]
    """Multiples of the step."""
    consecutive: Annotated[int, Field(ge=1, le=28)] = 2
    """So many looks in a row have to say the same."""
    baseline_days: Annotated[int, Field(ge=7, le=90)] = 28
    """What a window is compared with besides the reference: so much before it."""
    label_window_days: Annotated[int, Field(ge=1, le=90)] = 7
    """What recall and precision are of."""
    min_events: Count = 500
    """In the window, and in what it is compared with."""
    min_events_segment: Count = 3_000
    """The same in a segment: in a small one, a single attack or a few busy accounts look like drift."""
    min_frauds: Count = 50
    """The same for recall and precision: frauds, or transactions that were stopped; of a segment, too."""
    amount_bands: Annotated[list[Above], Field(max_length=10)] = [10.0, 50.0, 200.0]
    """Inner bounds of the segments by amount, in the base currency."""
    ignore: Annotated[list[str], Field(max_length=256)] = []
    """Features that are not looked at."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 24 % self.step_hours:
            raise PydanticCustomError("step", "step_hours must be a divisor of 24")
        if any(hours % self.step_hours for hours in self.windows_hours):
            raise PydanticCustomError("windows", "windows_hours must be multiples of step_hours")
        if sorted(set(self.amount_bands)) != self.amount_bands:
            raise PydanticCustomError("bands", "amount_bands must increase")
        return self
