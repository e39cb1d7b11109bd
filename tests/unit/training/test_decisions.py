import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.policy import Policy
from assay.schemas.stages import RulesFlag
from functions.decision_engine.table import BLOCKED, Evidence, rows_1_to_6
from tests.unit.decision.cases import policies, scores
from training.decisions import decide

rows = st.lists(st.tuples(st.sampled_from(RulesFlag), scores, st.booleans()), min_size=1, max_size=30)


def of_engine(policy: Policy, flag: RulesFlag, score: float, anomalous: bool) -> str:
    if flag is RulesFlag.BLOCK:
        return BLOCKED.decision
    return rows_1_to_6(Evidence(flag, score, anomalous, anomalous, anomalous), policy).decision


@given(policies, rows)
def test_training_decides_as_the_decision_engine_does(
    policy: Policy, cases: list[tuple[RulesFlag, float, bool]]
) -> None:
    flags, scored, both = (np.array(column) for column in zip(*cases, strict=True))
    assert decide(policy, flags, scored, both).tolist() == [of_engine(policy, *case) for case in cases]
