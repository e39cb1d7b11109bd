"""The decision engine: scores, rules and policy in, one verdict with its reasons out. Pure."""

from __future__ import annotations

from assay.policy import Policy
from assay.schemas.stages import Confidence, Decision, DecisionRequest, DecisionResult, RulesFlag
from functions.decision_engine.degradation import gather, missing_parts, passed_limit
from functions.decision_engine.reasons import Explainer
from functions.decision_engine.table import (
    BLOCKED,
    DENIED,
    STAND_IN_CHALLENGED,
    TRUSTED,
    Outcome,
    confidence,
    rows_1_to_6,
    trust_clears,
)
from functions.decision_engine.texts import Texts, load_texts


class DecisionEngine:
    """Decides by one policy. Total: every request gets exactly one decision."""

    def __init__(self, policy: Policy, texts: Texts | None = None) -> None:
        self.policy = policy
        self._explainer = Explainer(policy, texts or load_texts())

    def decide(self, request: DecisionRequest) -> DecisionResult:
        """The deny list, then row 0, then the table and, where a part is missing, what may be approved without it."""
        if request.deny_listed:
            return self._denied(request)
        if request.rules is not None and request.rules.rules_flag == RulesFlag.BLOCK:
            return self._blocked(request)
        missing = missing_parts(request)
        evidence = gather(request, self.policy)
        outcome = rows_1_to_6(evidence, self.policy)
        sure = confidence(evidence.fraud_score, self.policy)
        if missing:
            return self._stand_in(request, outcome, missing, sure)
        if request.trusted and trust_clears(outcome):
            return DecisionResult(
                decision=TRUSTED.decision,
                confidence=sure,
                triggered_by=TRUSTED.triggered_by,
                reasons=self._explainer.trusted(outcome),
            )
        reasons = self._explainer.of_outcome(request, outcome) if outcome.movers else []
        return DecisionResult(
            decision=outcome.decision, confidence=sure, triggered_by=outcome.triggered_by, reasons=reasons
        )

    def _denied(self, request: DecisionRequest) -> DecisionResult:
        models = (request.isolation_forest, request.autoencoder, request.xgboost_classifier)
        return DecisionResult(
            decision=DENIED.decision,
            confidence=Confidence.HIGH,
            triggered_by=DENIED.triggered_by,
            reasons=self._explainer.denied(),
            is_early_exit=all(model is None for model in models),
        )

    def _blocked(self, request: DecisionRequest) -> DecisionResult:
        return DecisionResult(
            decision=BLOCKED.decision,
            confidence=Confidence.HIGH,
            triggered_by=BLOCKED.triggered_by,
            reasons=self._explainer.of_outcome(request, BLOCKED),
            is_early_exit=True,
        )

    def _stand_in(
        self, request: DecisionRequest, outcome: Outcome, missing: tuple[str, ...], sure: Confidence
    ) -> DecisionResult:
        """What the evidence says stands, except that an approval has to keep every limit."""
        limit = passed_limit(request, missing, self.policy) if outcome.decision == Decision.APPROVE else None
        if limit is not None:
            outcome, reasons = STAND_IN_CHALLENGED, self._explainer.of_limit(limit)
        else:
            reasons = self._explainer.of_outcome(request, outcome)
        return DecisionResult(
            decision=outcome.decision,
            confidence=sure,
            triggered_by=outcome.triggered_by,
            reasons=reasons,
            stand_in=True,
        )
