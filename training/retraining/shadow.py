"""What another release would have decided on transactions that were decided, outside of any request. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from assay.intelligence.retraining_policy import Watch
from assay.schemas.base import Contract, Finite
from training.costs import Costs
from training.retraining.paired import cost_difference, switched

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]
DECISIONS = ("APPROVE", "CHALLENGE", "DECLINE")


@dataclass(frozen=True, slots=True)
class Decided:
    """What a release says of some rows: the fraud score (NaN: a rule blocked it) and the decision."""

    scores: Floats
    decisions: Texts


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the rows. `labelled`: somebody said whether it was fraud; `amounts` in the base currency."""

    labelled: Bools
    fraud: Bools
    amounts: Floats


class Differing(Contract):
    """Transactions that one decides so and the other otherwise."""

    served: str
    shadow: str
    transactions: int
    fraud: int
    legitimate: int


class Comparison(Contract):
    """The release that served, and the one in its shadow, on the same transactions."""

    served: str
    shadow: str
    events: int
    labelled: int
    agreement: Finite = Field(description="Share of the transactions both decide alike.")
    score_shift: Finite = Field(description="Mean score in the shadow, less that of the one that served.")
    score_distance: Finite = Field(description="Mean distance of the two scores of a transaction.")
    decline_rate: tuple[Finite, Finite] = Field(description="Of the one that served, and in the shadow.")
    challenge_rate: tuple[Finite, Finite] = Field(description="The same.")
    cost_per_1000: tuple[Finite, Finite] | None = Field(description="The same, of those labelled.")
    differing: list[Differing] = Field(description="Most transactions first.")


def compare(versions: tuple[str, str], served: Decided, shadow: Decided, truth: Truth, costs: Costs) -> Comparison:
    """At least one row, all columns with one entry per row."""
    both = ~(np.isnan(served.scores) | np.isnan(shadow.scores))
    apart = (shadow.scores - served.scores)[both]
    known = truth.labelled
    outcomes = costs.of(truth.fraud[known], truth.amounts[known])
    return Comparison(
        served=versions[0],
        shadow=versions[1],
        events=len(both),
        labelled=int(known.sum()),
        agreement=_mean(served.decisions == shadow.decisions),
        score_shift=_mean(apart),
        score_distance=_mean(np.abs(apart)),
        decline_rate=(_mean(served.decisions == "DECLINE"), _mean(shadow.decisions == "DECLINE")),
        challenge_rate=(_mean(served.decisions == "CHALLENGE"), _mean(shadow.decisions == "CHALLENGE")),
        cost_per_1000=(
            (round(outcomes.per_1000(served.decisions[known]), 4), round(outcomes.per_1000(shadow.decisions[known]), 4))
            if known.any()
            else None
        ),
        differing=_differing(served.decisions, shadow.decisions, truth),
    )


def _mean(values: Floats | Bools) -> float:
    return round(float(values.mean()), 6) if len(values) else 0.0


def _differing(served: Texts, shadow: Texts, truth: Truth) -> list[Differing]:
    found = []
    for first in DECISIONS:
        for second in DECISIONS:
            rows = (served == first) & (shadow == second)
            if first != second and rows.any():
                known = rows & truth.labelled
                fraud = int((known & truth.fraud).sum())
                counts = {"transactions": int(rows.sum()), "fraud": fraud, "legitimate": int(known.sum()) - fraud}
                found.append(Differing(served=first, shadow=second, **counts))
    return sorted(found, key=lambda each: -each.transactions)


def regression(served: Decided, before: Decided, truth: Truth, costs: Costs, limits: Watch) -> list[str]:
    """Why a fresh champion must go; empty: nothing speaks against it yet.

    `served`: what it decided. `before`: what the champion before it says of the same transactions.
    """
    if len(served.decisions) < limits.min_events:
        return []
    reasons = []
    for decision in ("DECLINE", "CHALLENGE"):
        now, then = served.decisions == decision, before.decisions == decision
        moved = switched(now, then)
        if now.mean() >= limits.rate * then.mean() and moved.lost > 0 and moved.chance <= 1 - limits.confidence:
            reasons.append(f"{decision} {then.mean():.2%} -> {now.mean():.2%} of {len(now)} transactions")
    known = truth.labelled
    if known.sum() >= limits.min_labels:
        outcomes = costs.of(truth.fraud[known], truth.amounts[known])
        first, second = (outcomes.of_decisions(each.decisions[known]) for each in (before, served))
        apart = cost_difference(first, second, limits.confidence)
        if apart.low > 0:
            told = f"{1000 * first.mean():,.0f} -> {1000 * second.mean():,.0f}"
            reasons.append(f"costs {told} per 1,000 of {int(known.sum())} labelled transactions")
    return reasons
