"""Each rule's weight of evidence: how much its firing moves the odds of fraud."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

SMOOTHING = 0.5
"""Pseudo-counts, so that a rule that never fired on one side says a finite thing."""


def weight_of_evidence(fired: Bools, labels: Bools) -> float:
    """log( P(fired | fraud) / P(fired | legitimate) ), smoothed."""
    fraud, legitimate = int(labels.sum()), int((~labels).sum())
    on_fraud = (int((fired & labels).sum()) + SMOOTHING) / (fraud + 2 * SMOOTHING)
    on_legitimate = (int((fired & ~labels).sum()) + SMOOTHING) / (legitimate + 2 * SMOOTHING)
    return math.log(on_fraud / on_legitimate)


def rule_evidence(fired: Mapping[str, Bools], labels: Bools) -> dict[str, float]:
    """Rule id -> weight of evidence in log-odds, rounded."""
    return {rule: round(weight_of_evidence(column, labels), 6) for rule, column in sorted(fired.items())}


def firing_table(fired: Mapping[str, Bools], labels: Bools) -> dict[str, dict[str, Any]]:
    """Rule id -> how often it fires on each side, and its precision (None when it never fired)."""
    table: dict[str, dict[str, Any]] = {}
    for rule, column in fired.items():
        total = int(column.sum())
        table[rule] = {
            "fired": total,
            "share_of_legitimate": float(column[~labels].mean()),
            "share_of_fraud": float(column[labels].mean()) if labels.any() else None,
            "precision": float(labels[column].mean()) if total else None,
        }
    return table
