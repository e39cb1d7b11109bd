"""The decision table over many rows at once, to tell what a release would have done to a period."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.policy import Policy

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]


def decide(policy: Policy, rules_flags: Texts, scores: Floats, both_anomalous: Bools) -> Texts:
    """APPROVE, CHALLENGE or DECLINE per row, by the table of the decision engine when every model has answered."""
    likely = scores >= policy.challenge_above
    boosted = both_anomalous & likely & policy.boost_to_decline_when_both_flag
    decline = (rules_flags == "BLOCK") | (scores >= policy.decline_above) | boosted
    escalated = (rules_flags == "FLAG") & policy.flag_escalates & (scores >= policy.flag_escalates_above)
    challenge = escalated | likely | both_anomalous
    return np.select([decline, challenge], ["DECLINE", "CHALLENGE"], default="APPROVE").astype(np.str_)
