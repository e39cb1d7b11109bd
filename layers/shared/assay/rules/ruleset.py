"""A rules file: checked when it is loaded, evaluated for one transaction in microseconds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Self

from assay.errors import RuleError
from assay.features.catalog import BY_NAME
from assay.rules.document import RESERVED_IDS, RuleEntry, RulesDocument
from assay.rules.expression import parse
from assay.rules.satisfiability import dead_alternative, satisfiable
from assay.rules.scalar import Features, Test, compile_condition, known_only
from assay.rules.syntax import Condition, constants, negate, show
from assay.schemas.stages import FiredRule, RulesFlag, RulesResult
from assay.texts import Template
from assay.validation import did_you_mean, validated
from assay.yaml_file import load_mapping

FILE = "rules.yaml"


@dataclass(frozen=True, slots=True)
class Rule:
    """One checked rule. `test` answers True, False, or None: it could not be evaluated."""

    id: str
    name: str
    category: str
    severity: RulesFlag
    source: str
    condition: Condition
    test: Test
    analyst_text: Template
    customer_text: str
    evidence: float
    """Weight of evidence in log-odds; 0 when it was not measured."""

    def fired(self, features: Features) -> FiredRule:
        """What is reported when the rule fired on these features."""
        return FiredRule(
            id=self.id,
            category=self.category,
            severity=self.severity,
            analyst_text=self.analyst_text.fill(features),
            customer_text=self.customer_text,
            evidence=self.evidence,
        )


class RuleSet:
    """All rules of a release, in the order of the file."""

    def __init__(self, version: int, escalation: float, rules: Iterable[Rule]) -> None:
        self.version = version
        self.escalation = escalation
        self.rules = tuple(rules)
        total = len(self.rules)
        self.escalation_count = next(count for count in range(total + 1) if count / total >= escalation)
        """Number of fired rules from which on they are a BLOCK together."""
        self._tests: tuple[Test, ...] = tuple(rule.test for rule in self.rules)

    @classmethod
    def load(cls, text: str | bytes, evidence: Mapping[str, float] | None = None, file: str = FILE) -> Self:
        """The rules of a file, with the measured weight of evidence per rule id (log-odds; other ids are ignored).

        RuleError names the file, the rule and the place of whatever must not be served.
        """
        document = validated(RulesDocument, load_mapping(text, RuleError, file), RuleError, file)
        weights = evidence or {}
        rules: list[Rule] = []
        for position, entry in enumerate(document.rules):
            try:
                rule = _rule(entry, weights.get(entry.id, 0.0))
                _check_new(rule, rules)
            except RuleError as problem:
                raise RuleError(f"{file}: rules[{position}] ({entry.id}): {problem}") from None
            rules.append(rule)
        return cls(document.version, document.escalation, rules)

    def truths(self, features: Features) -> list[bool | None]:
        """Per rule: fired, passed, or None: not evaluated. A value that is not of its feature's kind is unknown."""
        try:
            return [test(features) for test in self._tests]
        except TypeError:
            known = known_only(features)
            return [test(known) for test in self._tests]

    def evaluate(self, features: Features) -> RulesResult:
        """Seed B's order: any BLOCK, then the share of fired rules, then any FLAG. An absent feature is unknown."""
        truths = self.truths(features)
        fired: list[FiredRule] = []
        blocked = False
        if True in truths:
            for rule in compress(self.rules, truths):
                fired.append(rule.fired(features))
                blocked = blocked or rule.severity is RulesFlag.BLOCK
        not_evaluated = (
            [rule.id for truth, rule in zip(truths, self.rules, strict=True) if truth is None] if None in truths else []
        )
        escalated = not blocked and len(fired) >= self.escalation_count
        otherwise = RulesFlag.FLAG if fired else RulesFlag.ALLOW
        return RulesResult(
            rules_flag=RulesFlag.BLOCK if blocked or escalated else otherwise,
            fired=fired,
            not_evaluated=not_evaluated,
            total_rules=len(self.rules),
            escalated=escalated,
        )


def _rule(entry: RuleEntry, evidence: float) -> Rule:
    if entry.id in RESERVED_IDS:
        raise RuleError("id: this name is reserved")
    if isinstance(evidence, bool) or not isinstance(evidence, int | float) or not math.isfinite(evidence):
        raise RuleError(f"evidence: {evidence!r} is not a finite number")
    try:
        condition = parse(entry.when)
        _check_reachable(condition)
    except RuleError as problem:
        raise RuleError(f"when: {problem}") from None
    _check_customer_text(entry.customer_text, condition)
    return Rule(
        id=entry.id,
        name=entry.name,
        category=entry.category,
        severity=RulesFlag(entry.severity),
        source=entry.when,
        condition=condition,
        test=compile_condition(condition),
        analyst_text=_template(entry.analyst_text),
        customer_text=entry.customer_text,
        evidence=float(evidence),
    )


def _check_reachable(condition: Condition) -> None:
    if not satisfiable(condition):
        raise RuleError("can never fire: its bounds contradict each other")
    if not satisfiable(negate(condition)):
        raise RuleError("fires on every transaction")
    dead = dead_alternative(condition)
    if dead is not None:
        raise RuleError(f"a part of an `or` can never be true: {show(dead)}")


def _template(text: str) -> Template:
    try:
        template = Template(text)
    except ValueError as problem:
        raise RuleError(f"analyst_text: {problem}") from None
    for name in template.names:
        if name not in BY_NAME:
            raise RuleError(f"analyst_text: no such feature: {name!r}{did_you_mean(name, BY_NAME)}")
    return template


def _check_customer_text(text: str, condition: Condition) -> None:
    """A customer who reads a threshold or a feature's name knows how to stay below it."""
    if "{" in text or "}" in text:
        raise RuleError("customer_text: placeholders are for the analyst only")
    for word in re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", text.casefold()):
        if word in BY_NAME:
            raise RuleError(f"customer_text: names the feature {word!r}")
    numbers = {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}
    revealed = numbers & constants(condition)
    if revealed:
        raise RuleError(f"customer_text: reveals the threshold {min(revealed):g}")


def _check_new(rule: Rule, earlier: list[Rule]) -> None:
    for other in earlier:
        if rule.id == other.id:
            raise RuleError("id: given twice")
        if rule.name == other.name:
            raise RuleError(f"name: the same as that of {other.id}")
        if rule.condition == other.condition:
            raise RuleError(f"when: the same condition as {other.id}: it would count twice")
