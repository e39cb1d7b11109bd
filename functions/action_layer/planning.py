"""From a decline and the policy to a freeze, or to none. Pure."""

from __future__ import annotations

from assay.accounts.records import Cause, Freeze
from assay.features.windows import HOUR
from assay.moments import microseconds
from assay.policy import Actions, FreezeAfter
from assay.schemas.stages import Decision
from functions.action_layer.events import Scored, Verdict

DENY_LIST = "DENY_LIST"


def freeze_for(event: Scored, actions: Actions) -> Freeze | None:
    """The freeze that the event asks for; None when it only declines, or does not even that.

    Never on the evidence of a stand-in, whatever the policy says, and never because the account is frozen already.
    """
    verdict = event.verdict
    if verdict.decision is not Decision.DECLINE or event.transaction.account_id is None:
        return None
    if verdict.degraded or verdict.triggered_by == DENY_LIST:
        return None
    row = next((row for row in actions.freeze if _holds(row, verdict)), None)
    if row is None:
        return None
    decided_at = microseconds(verdict.decided_at)
    until = None if row.hours is None else decided_at + row.hours * HOUR
    return Freeze(Cause(decided_at, event.client_id, verdict.transaction_id), until, tuple(verdict.reasons))


def _holds(row: FreezeAfter, verdict: Verdict) -> bool:
    score = verdict.fraud_score
    return (
        (row.triggered_by is None or not set(row.triggered_by).isdisjoint(verdict.triggered_by.split("+")))
        and (row.rules is None or not set(row.rules).isdisjoint(verdict.triggered_rules))
        and (row.min_fraud_score is None or (score is not None and score >= row.min_fraud_score))
    )
