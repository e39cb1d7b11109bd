"""One transaction on its way through the pipeline, and what is made of it: question, verdict, record, event."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from assay.features.transaction import MONEY_SCALE
from assay.labels.ports import Standing, TokenKind
from assay.ports import DecisionRecord
from assay.schemas.base import Contract, FeatureValue
from assay.schemas.geoip import GeoIpResult
from assay.schemas.stages import Decision, DecisionRequest, DecisionResult, RulesResult, StandInUsage
from assay.schemas.verdict import ChallengeRef, FraudVerdict
from functions.orchestrator.intake import Submission

if TYPE_CHECKING:
    from functions.orchestrator.pipeline import Deciding

PROFILE, DENY_LIST = "profile", "deny_list"


@dataclass(slots=True)
class Case:
    """What is known so far."""

    submission: Submission
    by: Deciding
    """What decides it, from beginning to end."""
    started: float
    """On the stage client's clock, in seconds."""
    time_s: float
    """For the whole decision, in seconds."""
    features: dict[str, FeatureValue] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    timings_us: dict[str, int] = field(default_factory=dict)
    geoip: GeoIpResult | None = None
    rules: RulesResult | None = None
    scores: dict[str, Any] = field(default_factory=dict)

    def until(self, share: float) -> float:
        """The moment by which this share of the time is over."""
        return self.started + share * self.time_s

    def lap(self, name: str, since_ns: int) -> int:
        """Notes the time since `since_ns` under the name; returns now."""
        now = perf_counter_ns()
        self.timings_us[name] = (now - since_ns) // 1000
        return now

    @property
    def amount(self) -> float | None:
        """In the base currency; None when there is no rate."""
        scaled = self.submission.transaction.amount
        return None if scaled is None else scaled / MONEY_SCALE

    def tokens(self) -> set[str]:
        """Everything about the transaction that a deny list may name."""
        transaction = self.submission.transaction
        found = (transaction.account, transaction.device, transaction.address, transaction.counterparty)
        return {token for token in found if token is not None}

    def labelled(self) -> dict[TokenKind, str]:
        """What a label of another transaction may say something about."""
        transaction = self.submission.transaction
        named: dict[TokenKind, str | None] = {
            "account": transaction.account,
            "device": transaction.device,
            "counterparty": transaction.counterparty,
        }
        return {kind: token for kind, token in named.items() if token is not None}


def question(case: Case, standing: Standing, usage: StandInUsage) -> DecisionRequest:
    """What the decision engine is asked."""
    return DecisionRequest(
        transaction_id=case.submission.transaction.transaction_id,
        amount=case.amount,
        rules=case.rules,
        isolation_forest=case.scores.get("isolation_forest"),
        autoencoder=case.scores.get("autoencoder"),
        xgboost_classifier=case.scores.get("xgboost_classifier"),
        profile_known=PROFILE not in case.degraded,
        deny_listed=standing.is_denied,
        trusted=standing.is_trusted,
        deny_list_known=DENY_LIST not in case.degraded,
        stand_in_usage=usage,
        release=case.by.settings.release.hash,
    )


def verdict_of(case: Case, result: DecisionResult, decided_at: datetime) -> FraudVerdict:
    """The answer to the caller."""
    rules, scores, settings = case.rules, case.scores, case.by.settings
    return FraudVerdict(
        transaction_id=case.submission.transaction.transaction_id,
        decision=result.decision,
        confidence=result.confidence,
        fraud_score=_rounded(scores.get("xgboost_classifier"), "fraud_score"),
        if_score=_rounded(scores.get("isolation_forest"), "if_score"),
        ae_error=_rounded(scores.get("autoencoder"), "ae_error"),
        rules_flag=None if rules is None else rules.rules_flag,
        triggered_rules=[] if rules is None else [rule.id for rule in rules.fired],
        rules_not_evaluated=[] if rules is None else rules.not_evaluated,
        reasons=result.reasons,
        triggered_by=result.triggered_by,
        is_early_exit=result.is_early_exit,
        degraded=case.degraded,
        release=settings.release,
        challenge=_challenge(case, result, decided_at, settings.challenge_ttl_s),
        decided_at=decided_at,
        timings_us=case.timings_us,
    )


def record_of(
    case: Case, verdict: bytes, decided_at: datetime, used: StandInUsage, stand_in: StandInUsage | None
) -> DecisionRecord:
    """The unit of work to commit. `used`: the account's stand-in usage before, `stand_in`: after, None if the same."""
    submission = case.submission
    return DecisionRecord(
        client_id=submission.client_id,
        transaction_id=submission.transaction.transaction_id,
        fingerprint=submission.fingerprint,
        verdict=verdict,
        decided_at=decided_at,
        activity=submission.transaction,
        event=_event(case, verdict, used),
        stand_in=stand_in,
    )


def _event(case: Case, verdict: bytes, used: StandInUsage) -> bytes:
    """`TransactionScored` as JSON, joined from parts that are JSON already."""
    submission = case.submission
    head = {
        "event": "transaction.scored",
        "version": 1,
        "client_id": submission.client_id,
        "occurred_at": submission.occurred_at,
        "features": case.features,
        "amount_base": case.amount,
        "stand_in_usage": used,
    }
    if case.geoip is not None:
        head["geoip"] = case.geoip
    parts = (
        to_json(head)[:-1],
        b',"transaction":',
        submission.document,
        b',"verdict":',
        verdict,
        b"}",
    )
    return b"".join(parts)


def _challenge(case: Case, result: DecisionResult, decided_at: datetime, ttl_s: int | None) -> ChallengeRef | None:
    """A new one. Without an account there is nobody to ask."""
    is_asked = result.decision is Decision.CHALLENGE and case.submission.transaction.account is not None
    if ttl_s is None or not is_asked:
        return None
    return ChallengeRef(id=f"chl_{secrets.token_hex(16)}", expires_at=decided_at + timedelta(seconds=ttl_s))


def _rounded(score: Contract | None, name: str) -> float | None:
    return None if score is None else round(float(getattr(score, name)), 6)
