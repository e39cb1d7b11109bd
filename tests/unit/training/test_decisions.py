from itertools import product
from pathlib import Path

import numpy as np
import pytest

from assay.policy import Policy
from assay.schemas.stages import RulesFlag
from functions.decision_engine.table import BLOCKED, Evidence, rows_1_to_6
from training.decisions import decide

POLICY = Policy.load((Path(__file__).parents[3] / "training/defaults/policy.yaml").read_bytes())
SCORES = (0.0, 0.49, 0.5, 0.79, 0.8, 1.0)


@pytest.mark.parametrize("boost", [True, False])
@pytest.mark.parametrize("escalates", [True, False])
def test_training_decides_as_the_decision_engine_does(boost: bool, escalates: bool) -> None:
    policy = POLICY.model_copy(update={"boost_to_decline_when_both_flag": boost, "flag_escalates": escalates})
    cases = list(product(RulesFlag, SCORES, (False, True)))
    flags, scores, both = (np.array(column) for column in zip(*cases, strict=True))
    expected = [
        (
            BLOCKED
            if flag is RulesFlag.BLOCK
            else rows_1_to_6(Evidence(flag, score, anomalous, anomalous, anomalous), policy)
        ).decision
        for flag, score, anomalous in cases
    ]
    assert decide(policy, flags, scores, both).tolist() == expected
