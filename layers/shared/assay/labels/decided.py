"""The subject of a label, of what the stores keep about a decision. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from assay.features.transaction import MONEY_SCALE
from assay.labels.records import Subject
from assay.schemas.scored import View


@dataclass(frozen=True, slots=True)
class Counted:
    """What the profile counted of the transaction; all None when it counted nothing. `amount`: times `MONEY_SCALE`."""

    time: int | None
    amount: int | None
    account: str | None
    device: str | None
    counterparty: str | None


class _Verdict(View):
    """Of `FraudVerdict`."""

    decision: str
    fraud_score: float | None
    triggered_rules: list[str]


def subject_of(client_id: str, transaction_id: str, decided_at: int, verdict: bytes, counted: Counted) -> Subject:
    """`verdict`: as JSON. Moments in microseconds since the epoch."""
    found = _Verdict.model_validate_json(verdict)
    return Subject(
        client_id=client_id,
        transaction_id=transaction_id,
        time=decided_at if counted.time is None else counted.time,
        decided_at=decided_at,
        decision=found.decision,
        fraud_score=found.fraud_score,
        rules=tuple(found.triggered_rules),
        amount=None if counted.amount is None else counted.amount / MONEY_SCALE,
        account=counted.account,
        device=counted.device,
        counterparty=counted.counterparty,
    )
