"""What is measured of a model's scores over one test week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.handbook.card_precision import card_precision
from training.handbook.protocol import Columns, Ints
from training.metrics import average_precision, roc_auc, threshold_at

Floats = NDArray[np.float64]

RULE_AMOUNT = 220.0
"""Above it all is fraud by construction (scenario 1): no skill."""
COUNTERPARTY_SCENARIO = 2
"""The scenario of compromised terminals: most of the fraud, and invisible in what the customer does."""


@dataclass(frozen=True, slots=True)
class Measures:
    """`ap_below_220` leaves out the rows that the rule `amount > 220` catches; `scenario_2_*` every other fraud.

    Recall is at 0.5 % false positives. NaN where there is no fraud to find.
    """

    roc_auc: float
    average_precision: float
    card_precision_100: float
    ap_below_220: float
    scenario_2_ap: float
    scenario_2_recall: float


PUBLISHED_MEASURES = ("roc_auc", "average_precision", "card_precision_100")


def measure(columns: Columns, rows: Ints, scores: Floats) -> Measures:
    """`scores` of the rows `rows`: higher is more suspicious."""
    frauds, scenarios = columns.frauds[rows], columns.scenarios[rows]
    below = columns.amounts[rows] <= RULE_AMOUNT
    terminals = scenarios == COUNTERPARTY_SCENARIO
    apart = terminals | ~frauds
    caught = scores > threshold_at(frauds, scores)
    return Measures(
        roc_auc(frauds, scores),
        average_precision(frauds, scores),
        card_precision(columns.days[rows], columns.customers[rows], frauds, scores),
        average_precision(frauds[below], scores[below]),
        average_precision(frauds[apart], scores[apart]),
        float(caught[terminals].mean()) if terminals.any() else float("nan"),
    )
