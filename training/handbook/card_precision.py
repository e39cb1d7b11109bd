"""Card precision top-k, as the Handbook defines it: of the k cards checked a day, how many are compromised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.handbook.protocol import Bools, Ints


def card_precision(days: Ints, customers: Ints, frauds: Bools, scores: NDArray[np.float64], cards: int = 100) -> float:
    """The mean over the days; rows are transactions, a customer has one card.

    Each day the `cards` customers with the highest score of that day are checked; one with a fraud that day is found,
    and is not looked at on later days. The divisor is `cards`, however few customers there are. Of equal scores the
    smaller customer number is checked first (the published code leaves that to the sort).
    """
    found: set[int] = set()
    precisions = []
    for day in np.unique(days):
        rows = np.flatnonzero((days == day) & ~np.isin(customers, list(found)))
        names, places = np.unique(customers[rows], return_inverse=True)
        highest = np.full(len(names), -np.inf)
        np.maximum.at(highest, places, scores[rows])
        compromised = np.zeros(len(names), dtype=np.bool_)
        np.logical_or.at(compromised, places, frauds[rows])
        checked = np.argsort(-highest, kind="stable")[:cards]
        detected = names[checked[compromised[checked]]]
        precisions.append(len(detected) / cards)
        found.update(detected.tolist())
    return float(np.mean(precisions))
