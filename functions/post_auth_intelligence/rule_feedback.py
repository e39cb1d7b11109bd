"""How each rule has done on what has a label, and what each threshold of the score would have caught. Pure.

Counts are of labelled transactions. A transaction that nobody could tell counts for nothing but its own number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import Field

from assay.labels.records import Labelling
from assay.schemas.base import Contract

THRESHOLDS = tuple(step / 20 for step in range(1, 20))


class RuleRow(Contract):
    """One rule. A share without anything to count is null."""

    id: str
    fired: int = Field(description="Labelled transactions on which it fired, those nobody could tell too.")
    frauds: int = Field(description="Of them, confirmed fraud.")
    false_positives: int = Field(description="Of them, legitimate.")
    precision: float | None = Field(description="Frauds over frauds and false positives.")
    recall: float | None = Field(description="Its frauds over all labelled fraud.")
    unique_frauds: int = Field(description="Frauds on which no other rule fired.")


class ThresholdRow(Contract):
    """Everything with a fraud score of at least this. A rule's early decline has no score, so it is not in here."""

    fraud_score: float
    frauds: int
    false_positives: int
    precision: float | None
    recall: float | None = Field(description="Its frauds over all labelled fraud that has a score.")


class RuleFeedback(Contract):
    """What labels say of the rules and of the score."""

    labelled: int
    frauds: int
    legitimate: int
    rules: list[RuleRow] = Field(description="By false positives, most first. A rule that fired on none is not there.")
    thresholds: list[ThresholdRow]


class Tally:
    """Counts labellings as they come, so that nobody has to hold them all."""

    def __init__(self) -> None:
        self._labelled = 0
        self._all: Counter[bool] = Counter()
        self._fired: Counter[str] = Counter()
        self._by_rule: Counter[tuple[str, bool]] = Counter()
        self._unique: Counter[str] = Counter()
        self._scored: Counter[tuple[int, bool]] = Counter()
        """By the number of thresholds that the score reaches."""

    def add(self, labellings: Iterable[Labelling]) -> None:
        """Those with a label that is in effect; others are passed over."""
        for labelling in labellings:
            current = labelling.current
            if current is not None:
                self._count(labelling, current.label.is_fraud)

    def _count(self, labelling: Labelling, is_fraud: bool | None) -> None:
        subject = labelling.subject
        self._labelled += 1
        self._fired.update(subject.rules)
        if is_fraud is None:
            return
        self._all[is_fraud] += 1
        self._by_rule.update((rule, is_fraud) for rule in subject.rules)
        if is_fraud and len(subject.rules) == 1:
            self._unique[subject.rules[0]] += 1
        if subject.fraud_score is not None:
            score = subject.fraud_score
            self._scored[sum(score >= threshold for threshold in THRESHOLDS), is_fraud] += 1

    def report(self) -> RuleFeedback:
        """What was counted so far."""
        rows = [self._rule(rule) for rule in sorted(self._fired)]
        return RuleFeedback(
            labelled=self._labelled,
            frauds=self._all[True],
            legitimate=self._all[False],
            rules=sorted(rows, key=lambda row: -row.false_positives),
            thresholds=[self._threshold(reached) for reached in range(1, len(THRESHOLDS) + 1)],
        )

    def _rule(self, rule: str) -> RuleRow:
        frauds, false_positives = self._by_rule[rule, True], self._by_rule[rule, False]
        return RuleRow(
            id=rule,
            fired=self._fired[rule],
            frauds=frauds,
            false_positives=false_positives,
            precision=share(frauds, frauds + false_positives),
            recall=share(frauds, self._all[True]),
            unique_frauds=self._unique[rule],
        )

    def _threshold(self, reached: int) -> ThresholdRow:
        frauds, false_positives = (self._reaching(reached, is_fraud) for is_fraud in (True, False))
        return ThresholdRow(
            fraud_score=THRESHOLDS[reached - 1],
            frauds=frauds,
            false_positives=false_positives,
            precision=share(frauds, frauds + false_positives),
            recall=share(frauds, self._reaching(0, is_fraud=True)),
        )

    def _reaching(self, reached: int, is_fraud: bool) -> int:
        return sum(self._scored[count, is_fraud] for count in range(reached, len(THRESHOLDS) + 1))


def share(part: int, whole: int) -> float | None:
    """None where there is nothing to divide by."""
    return part / whole if whole else None
