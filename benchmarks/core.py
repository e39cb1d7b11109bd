"""The scoring core in process, part by part: features, 16 rules, three models, decision. No HTTP, no commit."""

from __future__ import annotations

from collections import Counter
from time import perf_counter_ns
from typing import Any

from assay import stages as names
from assay.features.history import EMPTY
from assay.features.profile import Profile
from assay.features.transaction import MONEY_SCALE, Transaction
from assay.schemas.stages import DecisionRequest, RulesFlag, ScoringInput
from benchmarks import product
from benchmarks.bodies import transaction_bodies
from benchmarks.figures import Figure, Settings
from benchmarks.timing import median, percentile, tidy

ACCOUNTS = 400
PARTS = ("features", "rules", "isolation_forest", "autoencoder", "xgboost_classifier", "decision")


class Core:
    """The pipeline's steps in the pipeline's order, with a clock between them."""

    def __init__(self) -> None:
        stages = product.stages()
        self.profile = Profile(EMPTY)
        self.rules = stages[names.RULES_ENGINE.name]
        self.forest = stages[names.ISOLATION_FOREST.name]
        self.autoencoder = stages[names.AUTOENCODER.name]
        self.classifier = stages[names.XGBOOST_CLASSIFIER.name]
        self.decide = stages[names.DECISION_ENGINE.name]
        self.decisions: Counter[str] = Counter()
        self.blocked = 0

    def score(self, transaction: Transaction) -> list[int]:
        """Score one transaction; the times (ns) at which each part was done, the start first."""
        at = [perf_counter_ns()]
        features = self.profile.observe(transaction)
        at.append(perf_counter_ns())
        request = ScoringInput.model_construct(transaction_id=transaction.transaction_id, features=features)
        rules = self.rules(request)
        at.append(perf_counter_ns())
        if rules.rules_flag is RulesFlag.BLOCK:
            self.blocked += 1
            return at
        scores: list[Any] = []
        for model in (self.forest, self.autoencoder, self.classifier):
            scores.append(model(request))
            at.append(perf_counter_ns())
        result = self.decide(
            DecisionRequest.model_construct(
                transaction_id=transaction.transaction_id,
                amount=None if transaction.amount is None else transaction.amount / MONEY_SCALE,
                rules=rules,
                isolation_forest=scores[0],
                autoencoder=scores[1],
                xgboost_classifier=scores[2],
            )
        )
        at.append(perf_counter_ns())
        self.decisions[result.decision.value] += 1
        return at


def mix(decisions: Counter[str], blocked: int) -> str:
    """Shares of the verdicts, so that a reader sees they are real."""
    total = max(1, sum(decisions.values()) + blocked)
    shares = ", ".join(f"{name} {count / total:.1%}" for name, count in sorted(decisions.items()))
    return f"{shares}, blocked {blocked / total:.1%}"


def measure(settings: Settings) -> list[Figure]:
    """The whole and its parts, after two rounds of every account (the first of which is a new device for each)."""
    rounds = settings.pick(12, 4)
    transactions = [product.transaction(body) for body in transaction_bodies(ACCOUNTS * rounds, accounts=ACCOUNTS)]
    core = Core()
    for transaction in transactions[: 2 * ACCOUNTS]:
        core.score(transaction)
    core.decisions.clear()
    core.blocked = 0
    tidy()
    runs = [core.score(transaction) for transaction in transactions[2 * ACCOUNTS :]]
    whole = [at for at in runs if len(at) == len(PARTS) + 1]
    if core.blocked > len(runs) / 100:
        raise RuntimeError(f"{core.blocked} of {len(runs)} were blocked: the figure would be flattered")
    totals = [(at[-1] - at[0]) / 1e6 for at in whole]
    figures = [
        Figure("core", "features + 16 rules + 3 models + decision, p50", median(totals), "ms", 0.5, "<=",
               "", f"in process, warm, no commit; {len(whole)} transactions: {mix(core.decisions, core.blocked)}"),
        Figure("core", "the same, p99", percentile(totals, 0.99), "ms"),
    ]  # fmt: skip
    for index, part in enumerate(PARTS):
        spent = [(at[index + 1] - at[index]) / 1000 for at in whole]
        figures.append(Figure("core", f"  {part}, p50", median(spent), "us", note=f"p99 {percentile(spent, 0.99):.0f}"))
    return figures
