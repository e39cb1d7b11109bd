"""Precision, recall and what only one rule caught, against a count by hand."""

from __future__ import annotations

from assay.labels.records import Label, Labelling, take
from functions.post_auth_intelligence.rule_feedback import Tally
from tests.harness.labels import sent, subject

FRAUD, FALSE, HONEST, UNSURE = Label


def labelled(label: Label, rules: tuple[str, ...], score: float | None, name: str = "t") -> Labelling:
    about = subject(name, rules=rules, fraud_score=score)
    return take(Labelling(about), sent(label, about=about), 0).labelling


def test_by_rule_and_by_threshold() -> None:
    tally = Tally()
    tally.add(
        [
            labelled(FRAUD, ("a",), 0.9),
            labelled(FRAUD, ("a", "b"), None),
            labelled(FRAUD, (), 0.3),
            labelled(FRAUD, ("b",), 0.3),
            labelled(FALSE, ("b",), 0.6),
            labelled(HONEST, ("b",), 0.05),
            labelled(HONEST, (), 0.0),
            labelled(UNSURE, ("b", "c"), 0.7),
        ]
    )
    waiting = take(Labelling(subject()), sent(FRAUD, allowance=0), 0).labelling
    tally.add([waiting, Labelling(subject())])
    report = tally.report()
    assert (report.labelled, report.frauds, report.legitimate) == (8, 4, 3)
    rows = {row.id: row for row in report.rules}
    assert [row.id for row in report.rules] == ["b", "a", "c"]
    a, b, c = rows["a"], rows["b"], rows["c"]
    assert (a.fired, a.frauds, a.false_positives, a.precision, a.recall, a.unique_frauds) == (2, 2, 0, 1.0, 0.5, 1)
    assert (b.fired, b.frauds, b.false_positives, b.precision, b.recall, b.unique_frauds) == (5, 2, 2, 0.5, 0.5, 1)
    assert (c.fired, c.precision, c.recall, c.unique_frauds) == (1, None, 0.0, 0)
    at = {row.fraud_score: row for row in report.thresholds}
    assert (at[0.3].frauds, at[0.3].false_positives, at[0.3].precision, at[0.3].recall) == (3, 1, 0.75, 1.0)
    assert (at[0.35].frauds, at[0.6].false_positives, at[0.65].false_positives) == (1, 1, 0)
    assert at[0.95].precision is None


def test_without_labels_there_is_nothing_to_say() -> None:
    report = Tally().report()
    assert (report.labelled, report.rules) == (0, [])
    assert all(row.precision is None and row.recall is None for row in report.thresholds)
