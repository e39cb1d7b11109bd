"""Which windows are compared with what: data, made of the policy and the variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.features.counterparty import LABEL_DELAY
from assay.intelligence.drift_policy import WEEK_H, DriftPolicy
from assay.schemas.stages import Decision
from functions.intelligence.drift_cells import HOUR
from functions.intelligence.drift_variables import (
    CAUGHT,
    DECISIONS,
    MISSED,
    OUTCOME,
    STOPPED,
    Variable,
)
from functions.intelligence.drift_yardsticks import (
    Yardstick,
    of_all_bins,
    of_ordered_bins,
    of_quality,
    of_rate,
)

Kind = Literal["feature", "score", "rate", "outcome"]
PERIODS_H = {"hour_of_day": 24, "is_weekend": WEEK_H}
"""Features that follow the calendar are looked at in whole periods only."""
Against = Literal["reference", "before"]
DAY_H = 24


@dataclass(frozen=True, slots=True)
class Span:
    """So many steps, which end so many steps before the moment of the look."""

    steps: int
    before: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A window and its baseline; without one of its own, that is the release's reference."""

    kind: Kind
    name: str
    variable: Variable
    yardstick: Yardstick
    window: Span
    against: Against
    baseline: Span | None = None


def comparisons(variables: Sequence[Variable], policy: DriftPolicy, *, labelled: bool) -> Iterator[Comparison]:
    """Of the features, the scores and the decisions with the reference and with what was before; of what labels say,
    if there are any, with what was before, as soon as they are due."""
    baseline = policy.baseline_days * DAY_H // policy.step_hours
    for hours in policy.windows_hours:
        window = Span(hours // policy.step_hours, 0)
        for variable in variables:
            if hours % PERIODS_H.get(variable.name, 1):
                continue
            for kind, name, yardstick in _of(variable, policy):
                if variable.baseline is not None:
                    yield Comparison(kind, name, variable, yardstick, window, "reference")
                yield Comparison(kind, name, variable, yardstick, window, "before", Span(baseline, window.steps))
    if labelled:
        due = Span(policy.label_window_days * DAY_H // policy.step_hours, LABEL_DELAY // (policy.step_hours * HOUR))
        earlier = Span(baseline, due.steps + due.before)
        for kind, name, yardstick in _of_labels(policy):
            yield Comparison(kind, name, OUTCOME, yardstick, due, "before", earlier)


def reach(comparisons: Sequence[Comparison]) -> int:
    """How many steps before the moment the oldest span begins."""
    spans = [span for comparison in comparisons for span in (comparison.window, comparison.baseline) if span]
    return max(span.steps + span.before for span in spans)


def _of(variable: Variable, policy: DriftPolicy) -> list[tuple[Kind, str, Yardstick]]:
    if variable.kind == "decision":
        stops = (Decision.CHALLENGE.value, Decision.DECLINE.value)
        return [("rate", f"{stop.lower()}_rate", of_rate(policy, DECISIONS.index(stop))) for stop in stops]
    kind: Kind = "score" if variable.kind == "score" else "feature"
    found: list[tuple[Kind, str, Yardstick]] = [(kind, variable.name, of_all_bins(policy))]
    if variable.ordered > 1:
        found.append((kind, variable.name, of_ordered_bins(policy, variable.ordered)))
    return found


def _of_labels(policy: DriftPolicy) -> list[tuple[Kind, str, Yardstick]]:
    return [
        ("rate", "fraud_rate", of_rate(policy, CAUGHT, MISSED)),
        ("outcome", "recall", of_quality(policy, CAUGHT, MISSED)),
        ("outcome", "precision", of_quality(policy, CAUGHT, STOPPED)),
    ]
