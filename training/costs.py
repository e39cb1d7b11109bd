"""Thresholds of the fraud score from what decisions cost, within what a team can look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from assay.policy import NotNegative, Policy
from assay.schemas.base import Contract, Probability
from assay.validation import validated
from assay.yaml_file import load_mapping
from training.settings import TrainingDataError

FILE = "costs.yaml"
STEPS = 100
"""Thresholds are hundredths: a policy is read by people."""
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]


class PerMistake(Contract):
    """A fixed part, and a part of the transaction's amount."""

    each: NotNegative
    of_amount: NotNegative


class ChallengeCost(Contract):
    """What asking once more costs, whoever is asked, and the share of frauds that it stops."""

    each: NotNegative
    stops: Probability


class AlertCost(Contract):
    """The work on one decline."""

    each: NotNegative


class Capacity(Contract):
    """How many declines can be worked on."""

    alerts_per_1000: Annotated[float, Field(gt=0.0, le=1000.0)]


class Costs(Contract):
    """costs.yaml. All amounts in the base currency."""

    version: Literal[1]
    missed_fraud: PerMistake
    declined_legitimate: PerMistake
    challenge: ChallengeCost
    alert: AlertCost
    capacity: Capacity

    @classmethod
    def load(cls, text: str | bytes) -> Costs:
        """The costs of a file; TrainingDataError names the key that is wrong, missing or unknown."""
        return validated(Costs, load_mapping(text, TrainingDataError, FILE), TrainingDataError, FILE)

    def of(self, labels: Bools, amounts: Floats) -> Outcomes:
        """What each decision would cost, per row; an unknown amount (NaN) costs only the fixed part."""
        amounts = np.nan_to_num(amounts)
        missed, wrong = self.missed_fraud, self.declined_legitimate
        approve = np.where(labels, missed.each + missed.of_amount * amounts, 0.0)
        challenge = approve * (1 - self.challenge.stops) + self.challenge.each
        decline = np.where(labels, 0.0, wrong.each + wrong.of_amount * amounts) + self.alert.each
        return Outcomes(approve, challenge, decline)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Per row, the cost of each decision."""

    approve: Floats
    challenge: Floats
    decline: Floats

    def of_decisions(self, decisions: Texts) -> Floats:
        """Cost of the decision made on each row."""
        chosen = [decisions == "DECLINE", decisions == "CHALLENGE"]
        return np.select(chosen, [self.decline, self.challenge], self.approve)

    def per_1000(self, decisions: Texts) -> float:
        """Cost of the decisions made, per 1,000 rows."""
        return 1000 * float(self.of_decisions(decisions).mean())


@dataclass(frozen=True, slots=True)
class ScoreThresholds:
    """Where a score is challenged (if rules flag, and always) and declined; the cost per 1,000 transactions there."""

    flag_escalates_above: float
    challenge_above: float
    decline_above: float
    cost_per_1000: float


def best_thresholds(
    costs: Costs, outcomes: Outcomes, scores: Floats, rules_flags: Texts, both_anomalous: Bools, policy: Policy
) -> ScoreThresholds:
    """The cheapest three among all hundredths whose declines stay within the capacity; all columns one entry per row.

    What rules block is declined whatever the score, and uses capacity. When even the highest thresholds are beyond
    it, those with the fewest declines are taken.
    """
    blocked = rules_flags == "BLOCK"
    flagged = (rules_flags == "FLAG") & policy.flag_escalates & ~both_anomalous
    boosted = both_anomalous & policy.boost_to_decline_when_both_flag
    low = np.where(both_anomalous, outcomes.challenge, outcomes.approve)
    middle = np.where(boosted, outcomes.decline, outcomes.challenge)
    rows = ~blocked
    bins = np.minimum((scores[rows] * STEPS).astype(np.int64), STEPS - 1)
    added, escalations = _by_escalation(bins, np.where(flagged, outcomes.challenge - outcomes.approve, 0.0)[rows])
    total = _by_band(bins, low[rows], middle[rows], outcomes.decline[rows]) + added[:, np.newaxis]
    total += outcomes.decline[blocked].sum()
    declined = _by_band(bins, np.zeros(len(bins)), boosted[rows] * 1.0, np.ones(len(bins))) + blocked.sum()
    allowed = declined <= max(costs.capacity.alerts_per_1000 / 1000 * len(scores), float(np.nanmin(declined)))
    total = np.where(allowed, total, np.inf)
    challenge, decline = np.unravel_index(np.nanargmin(total), total.shape)
    return ScoreThresholds(
        int(escalations[challenge]) / STEPS,
        (int(challenge) + 1) / STEPS,
        (int(decline) + 1) / STEPS,
        1000 * float(total[challenge, decline]) / len(scores),
    )


def _by_band(bins: NDArray[np.int64], low: Floats, middle: Floats, high: Floats) -> Floats:
    """[c, d] -> the sum when challenging from (c + 1) / STEPS and declining from (d + 1) / STEPS; NaN for c > d."""
    below, between, above = (np.cumsum(np.bincount(bins, values, STEPS)) for values in (low, middle, high))
    challenge, decline = np.indices((STEPS - 1, STEPS - 1))
    sums: Floats = below[challenge] + between[decline] - between[challenge] + above[-1] - above[decline]
    return np.where(challenge <= decline, sums, np.nan)


def _by_escalation(bins: NDArray[np.int64], extra: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """[c] -> what challenging flagged rows below (c + 1) / STEPS adds, from the best step on, and that step.

    `extra`: what challenging a row in place of approving it adds; 0 for rows without a flag.
    """
    below = np.concatenate([[0.0], np.cumsum(np.bincount(bins, extra, STEPS))])
    most = np.maximum.accumulate(below)
    return (below - most)[1:STEPS], np.searchsorted(most, most[1:STEPS])
