"""Why a transaction was not approved: only what really moved the outcome, ranked across rules and models together.

What moved it follows from the row that matched. Weights are log-odds: a rule's measured weight of evidence, TreeSHAP
contributions of the classifier (those that push up), the measured evidence of an anomaly flag. A stand-in limit says
nothing about fraud: its weight is 0. Every part that the outcome needed has its best reason in the list, then the
heaviest others fill it up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from assay.policy import Policy
from assay.schemas.stages import AutoencoderScore, Contribution, DecisionRequest, Reason, RulesFlag, RulesResult
from assay.texts import plain_value
from functions.decision_engine.degradation import Limit
from functions.decision_engine.table import Mover, Outcome
from functions.decision_engine.texts import Texts

DENY_LIST_WEIGHT = 10.0
"""No measured evidence is as heavy: somebody decided it."""
AUTOENCODER_FEATURES = 3
EDGE = 1e-6


class Explainer:
    """Gives the reasons of an outcome."""

    def __init__(self, policy: Policy, texts: Texts) -> None:
        self._limit = policy.max_reasons
        self._evidence = policy.model_evidence
        self._texts = texts
        self._by_mover: dict[Mover, Callable[[DecisionRequest], list[Reason]]] = {
            "rules": lambda request: _of_rules(request.rules),
            "fraud_score": self._of_classifier,
            "isolation_forest": self._of_forest,
            "autoencoder": self._of_autoencoder,
        }

    def denied(self) -> list[Reason]:
        """The deny list decided, whatever else there was."""
        analyst, customer = self._texts.pair(self._texts.deny_list)
        return [Reason(code="rule:deny_list", weight=DENY_LIST_WEIGHT, analyst_text=analyst, customer_text=customer)]

    def trusted(self, spared: Outcome) -> list[Reason]:
        """Trust approved what would have been challenged."""
        analyst, customer = self._texts.pair(self._texts.trust, spared=spared.triggered_by)
        return [Reason(code="trust:analyst", weight=0.0, analyst_text=analyst, customer_text=customer)]

    def of_outcome(self, request: DecisionRequest, outcome: Outcome) -> list[Reason]:
        """Reasons of the parts that made the outcome; empty for an approval, never empty otherwise."""
        return _ranked([self._by_mover[mover](request) for mover in outcome.movers], self._limit)

    def of_limit(self, limit: Limit) -> list[Reason]:
        """A stand-in limit turned an approval into a challenge."""
        reasons = []
        for part in limit.parts[: self._limit]:
            analyst, customer = self._texts.pair(self._texts.stand_in[part], passed_by=limit.passed_by)
            reasons.append(Reason(code=f"stand_in:{part}", weight=0.0, analyst_text=analyst, customer_text=customer))
        return reasons

    def _of_classifier(self, request: DecisionRequest) -> list[Reason]:
        scored = request.xgboost_classifier
        if scored is None:
            return []
        pushing = [item for item in scored.contributions if item.contribution > 0]
        if pushing:
            pushing.sort(key=lambda item: -item.contribution)
            return [self._of_contribution(item) for item in pushing[: self._limit]]
        score = min(max(scored.fraud_score, EDGE), 1 - EDGE)
        weight = math.log(score / (1 - score))
        return [self._of_model("xgboost_classifier", weight, score=f"{scored.fraud_score:.3f}")]

    def _of_contribution(self, item: Contribution) -> Reason:
        analyst, customer = self._texts.feature(item.feature, item.value)
        return Reason(
            code=f"feature:{item.feature}", weight=item.contribution, analyst_text=analyst, customer_text=customer
        )

    def _of_forest(self, request: DecisionRequest) -> list[Reason]:
        answer = request.isolation_forest
        if answer is None:
            return []
        return [self._of_model("isolation_forest", self._evidence.isolation_forest, score=f"{answer.if_score:.3f}")]

    def _of_autoencoder(self, request: DecisionRequest) -> list[Reason]:
        answer = request.autoencoder
        if answer is None:
            return []
        weight, error = self._evidence.autoencoder, plain_value(answer.ae_error)
        return [self._of_model("autoencoder", weight, error=error, most=_largest_shares(answer))]

    def _of_model(self, model: str, weight: float, **values: str) -> Reason:
        analyst, customer = self._texts.pair(self._texts.models[model], **values)
        return Reason(code=f"model:{model}", weight=weight, analyst_text=analyst, customer_text=customer)


def _of_rules(result: RulesResult | None) -> list[Reason]:
    """All fired rules; of a BLOCK by a rule, only the rules that block."""
    if result is None:
        return []
    only_blocking = result.rules_flag == RulesFlag.BLOCK and not result.escalated
    return [
        Reason(
            code=f"rule:{rule.id}",
            weight=rule.evidence,
            analyst_text=rule.analyst_text,
            customer_text=rule.customer_text,
        )
        for rule in result.fired
        if not only_blocking or rule.severity == RulesFlag.BLOCK
    ]


def _largest_shares(answer: AutoencoderScore) -> str:
    largest = sorted(answer.contributions, key=lambda item: -item.contribution)[:AUTOENCODER_FEATURES]
    shares = ", ".join(f"{item.feature} ({plain_value(item.value)})" for item in largest)
    return f", most of it from {shares}" if shares else ""


def _weight(reason: Reason) -> float:
    return -reason.weight


def _ranked(groups: Sequence[list[Reason]], limit: int) -> list[Reason]:
    """The best of every group, then the heaviest others; heaviest first. Equal weights keep their order.

    Nothing is said twice: a rule and a feature of a model may be the same fact, and then it is the heavier one's.
    """
    ordered = sorted((sorted(group, key=_weight) for group in groups if group), key=lambda group: _weight(group[0]))
    said: dict[str, Reason] = {}
    for group in ordered:
        best = next((reason for reason in group if reason.analyst_text not in said), group[0])
        said.setdefault(best.analyst_text, best)
    for reason in sorted((reason for group in ordered for reason in group), key=_weight):
        said.setdefault(reason.analyst_text, reason)
    return sorted(list(said.values())[:limit], key=_weight)
