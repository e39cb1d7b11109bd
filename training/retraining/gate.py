"""The gate between a challenger and the champion. Pure: what both answered on rows nobody learnt from, and the truth.

A challenger passes when it costs less on the newest labelled period, costs no more on the golden set, and nowhere finds
less fraud: overall and in every segment with enough of it. Of a difference that chance alone explains nothing follows,
neither for the challenger nor against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from assay.intelligence.retraining_policy import Gate
from assay.schemas.base import Contract, Finite
from training.costs import Costs, Outcomes
from training.evaluate import Scored
from training.metrics import threshold_at
from training.retraining.label_audit import LabelAudit
from training.retraining.paired import CostDifference, Switched, cost_difference, switched

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
NEWEST: Literal["newest"] = "newest"
GOLDEN: Literal["golden"] = "golden"
OVERALL = "all"


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Rows that judge, with both releases' answers. `amounts` in the base currency, NaN is unknown; `segments`: the
    rows of each. All columns have one entry per row."""

    name: Literal["newest", "golden"]
    champion: Scored
    challenger: Scored
    amounts: Floats
    segments: Mapping[str, Bools]


class Side(Contract):
    """What a release does with a set."""

    cost_per_1000: Finite
    decline_rate: Finite
    challenge_rate: Finite
    recall: Finite = Field(description="At the false-positive rate of the policy, over all rows.")


class RecallPart(Contract):
    """Frauds of a segment that each release finds."""

    segment: str
    frauds: int
    champion: Finite
    challenger: Finite
    lost: Finite = Field(description="Share of the frauds that the challenger finds less.")
    chance: Finite = Field(description="How probable that is when both are equally good.")
    is_worse: bool


class SetResult(Contract):
    """One set that judged."""

    name: Literal["newest", "golden"]
    rows: int
    frauds: int
    champion: Side
    challenger: Side
    cost_difference: Finite = Field(description="Challenger less champion, per 1,000 transactions.")
    cost_low: Finite = Field(description="It is above this with the confidence of the policy.")
    cost_high: Finite = Field(description="It is below this with the confidence of the policy.")
    recall: list[RecallPart] = Field(description="Overall, then segments with enough frauds.")


class GateResult(Contract):
    """What the gate says, with every number it says it by."""

    passed: bool
    reasons: list[str] = Field(description="Why not; what speaks for it, when it passed.")
    sets: list[SetResult]
    labels: LabelAudit | None = Field(
        default=None, description="Of those that were learnt from, when it was asked for."
    )


def judge(sets: Sequence[JudgedSet], costs: Costs, limits: Gate, labels: LabelAudit | None = None) -> GateResult:
    """Every set is looked at, so that all reasons are told. Labels that are odd speak against whatever learnt of them,
    and come first: by such labels it may look good."""
    doubts = [] if labels is None else labels.reasons
    poor = [
        f"{each.name}: {int(each.champion.labels.sum())} frauds, at least {limits.min_frauds} can judge"
        for each in sets
        if each.champion.labels.sum() < limits.min_frauds or each.champion.labels.all()
    ]
    if poor:
        return GateResult(passed=False, reasons=doubts + poor, sets=[], labels=labels)
    results = [_result(each, costs, limits) for each in sets]
    against = doubts + [reason for result in results for reason in _against(result, limits)]
    told = against or [_praise(result) for result in results]
    return GateResult(passed=not against, reasons=told, sets=results, labels=labels)


def _result(judged: JudgedSet, costs: Costs, limits: Gate) -> SetResult:
    labels = judged.champion.labels
    outcomes = costs.of(labels, judged.amounts)
    first, second = (outcomes.of_decisions(side.decisions) for side in (judged.champion, judged.challenger))
    apart: CostDifference = cost_difference(first, second, limits.confidence)
    return SetResult(
        name=judged.name,
        rows=len(labels),
        frauds=int(labels.sum()),
        champion=_side(judged.champion, outcomes, limits),
        challenger=_side(judged.challenger, outcomes, limits),
        cost_difference=round(apart.per_1000, 4),
        cost_low=round(apart.low, 4),
        cost_high=round(apart.high, 4),
        recall=_recall(judged, limits),
    )


def _side(scored: Scored, outcomes: Outcomes, limits: Gate) -> Side:
    return Side(
        cost_per_1000=round(outcomes.per_1000(scored.decisions), 4),
        decline_rate=round(float((scored.decisions == "DECLINE").mean()), 6),
        challenge_rate=round(float((scored.decisions == "CHALLENGE").mean()), 6),
        recall=round(float(_caught(scored, limits)[scored.labels].mean()), 6),
    )


def _caught(scored: Scored, limits: Gate) -> Bools:
    cut = threshold_at(scored.labels, scored.fraud_scores, limits.false_positive_rate)
    caught: Bools = scored.fraud_scores > cut
    return caught


def _recall(judged: JudgedSet, limits: Gate) -> list[RecallPart]:
    """One threshold for all rows of a set: the release's own, at the rate of the policy."""
    frauds = judged.champion.labels
    champion, challenger = (_caught(side, limits) for side in (judged.champion, judged.challenger))
    segments = {name: rows & frauds for name, rows in sorted(judged.segments.items())}
    enough = {name: rows for name, rows in segments.items() if rows.sum() >= limits.min_frauds_segment}
    parts = [_part(OVERALL, champion[frauds], challenger[frauds], limits, 1)]
    return parts + [_part(name, champion[rows], challenger[rows], limits, len(enough)) for name, rows in enough.items()]


def _part(segment: str, champion: Bools, challenger: Bools, limits: Gate, looks: int) -> RecallPart:
    """`looks`: so many segments are looked at, and one of them is always the worst (Bonferroni)."""
    found: Switched = switched(champion, challenger)
    return RecallPart(
        segment=segment,
        frauds=found.rows,
        champion=round(float(champion.mean()), 6),
        challenger=round(float(challenger.mean()), 6),
        lost=round(found.lost, 6),
        chance=round(found.chance, 6),
        is_worse=found.lost > limits.recall_loss and found.chance <= (1 - limits.confidence) / looks,
    )


def _against(result: SetResult, limits: Gate) -> list[str]:
    reasons = []
    told = f"{result.champion.cost_per_1000:,.0f} -> {result.challenger.cost_per_1000:,.0f} per 1,000"
    if result.name == NEWEST and result.cost_high >= 0:
        reasons.append(f"{result.name}: not cheaper with {limits.confidence:.1%} confidence: {told}")
    if result.name == GOLDEN and result.cost_low > 0:
        reasons.append(f"{result.name}: costs more: {told}")
    return reasons + [
        f"{result.name}: finds {part.lost:.1%} less of the fraud in {part.segment}: {part.champion:.1%} -> "
        f"{part.challenger:.1%} of {part.frauds}"
        for part in result.recall
        if part.is_worse
    ]


def _praise(result: SetResult) -> str:
    return (
        f"{result.name}: {result.champion.cost_per_1000:,.0f} -> {result.challenger.cost_per_1000:,.0f} per 1,000, "
        f"recall {result.champion.recall:.1%} -> {result.challenger.recall:.1%} of {result.frauds} frauds"
    )
