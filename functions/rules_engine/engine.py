"""The rules engine: the release's rules over one transaction's features. Pure."""

from __future__ import annotations

from assay.rules.ruleset import RuleSet
from assay.schemas.stages import RulesResult, ScoringInput


class RulesEngine:
    """Evaluates one rule set."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules

    def evaluate(self, request: ScoringInput) -> RulesResult:
        """ALLOW, FLAG or BLOCK, with every rule that fired and every rule whose inputs were unknown."""
        return self.rules.evaluate(request.features)
