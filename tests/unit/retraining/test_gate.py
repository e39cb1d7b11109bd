"""The gate: who passes, who does not, and that noise decides nothing."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.intelligence.retraining_policy import Gate
from training.costs import Costs
from training.evaluate import Scored
from training.retraining.gate import GOLDEN, NEWEST, JudgedSet, judge
from training.retraining.label_audit import LabelAudit, Odd
from training.settings import default

COSTS = Costs.load(default("costs.yaml"))
LIMITS = Gate()
ROWS, FRAUDS = 4_000, 200
LABELS = np.arange(ROWS) < FRAUDS
NOBODY = np.zeros(ROWS, dtype=np.bool_)
WEB = np.arange(ROWS) % 4 == 0


def scored(caught: NDArray[np.bool_], declined: NDArray[np.bool_] | None = None, labels: Any = LABELS) -> Scored:
    """A release that scores what it catches 0.9 and all else near 0; it declines the same, if nothing else is said."""
    scores = np.where(caught, 0.9, np.linspace(0.0, 0.1, ROWS))
    decisions = np.where(caught if declined is None else declined, "DECLINE", "APPROVE")
    nothing = np.zeros(ROWS)
    return Scored(labels, [None] * ROWS, scores, nothing, nothing, NOBODY, NOBODY, decisions)


def first(count: int) -> NDArray[np.bool_]:
    """Catches so many of the frauds and nobody else."""
    return np.arange(ROWS) < count


def judged(
    name: Literal["newest", "golden"], champion: Scored, challenger: Scored, **segments: NDArray[np.bool_]
) -> JudgedSet:
    return JudgedSet(name, champion, challenger, np.full(ROWS, 100.0), segments)


SAME = judged(GOLDEN, scored(first(100)), scored(first(100)))


def test_a_better_one_passes_and_is_praised() -> None:
    result = judge([judged(NEWEST, scored(first(100)), scored(first(150))), SAME], COSTS, LIMITS)
    assert result.passed
    newest = result.sets[0]
    assert (newest.champion.recall, newest.challenger.recall) == (0.5, 0.75)
    assert newest.cost_difference < newest.cost_high < 0
    assert "50.0% -> 75.0% of 200 frauds" in result.reasons[0]


def test_an_equal_one_stays() -> None:
    result = judge([judged(NEWEST, scored(first(100)), scored(first(100))), SAME], COSTS, LIMITS)
    assert not result.passed
    assert "not cheaper" in result.reasons[0]


def test_a_little_better_may_be_chance() -> None:
    """Two frauds found, one lost: cheaper on these rows, and nothing follows."""
    caught = first(102)
    caught[0] = False
    result = judge([judged(NEWEST, scored(first(100)), scored(caught)), SAME], COSTS, LIMITS)
    assert result.sets[0].cost_difference < 0
    assert not result.passed


def test_better_lately_but_forgetful() -> None:
    golden = judged(GOLDEN, scored(first(100)), scored(first(80)))
    result = judge([judged(NEWEST, scored(first(100)), scored(first(150))), golden], COSTS, LIMITS)
    assert not result.passed
    told = " ".join(result.reasons)
    assert "golden: costs more" in told
    assert "golden: finds 10.0% less of the fraud in all" in told


def test_worse_in_one_segment_only() -> None:
    """Overall it finds more; on the web it finds less."""
    before, after = first(100), first(180) & ~WEB
    newest = judged(NEWEST, scored(before), scored(after), web=WEB)
    result = judge([newest, SAME], COSTS, LIMITS)
    assert not result.passed
    assert [part.segment for part in result.sets[0].recall if part.is_worse] == ["web"]
    assert all("in web" in reason for reason in result.reasons)


def test_a_small_segment_is_not_looked_at() -> None:
    few = LABELS & (np.arange(ROWS) < LIMITS.min_frauds_segment - 1)
    after = first(180) & ~few
    result = judge([judged(NEWEST, scored(first(100)), scored(after), few=few), SAME], COSTS, LIMITS)
    assert result.passed
    assert [part.segment for part in result.sets[0].recall] == ["all"]


def test_one_fraud_more_or_less_decides_nothing() -> None:
    """3 % of a segment, which is more than the point that is borne: and nothing but chance."""
    part = LABELS & (np.arange(ROWS) < 40)
    after = first(150)
    after[0] = False
    result = judge([judged(NEWEST, scored(first(100)), scored(after), part=part), SAME], COSTS, LIMITS)
    lost = next(each for each in result.sets[0].recall if each.segment == "part")
    assert lost.lost > LIMITS.recall_loss
    assert not lost.is_worse
    assert result.passed


def test_less_recall_than_is_borne_counts_only_above_it() -> None:
    """Certain, and within the point."""
    loose = LIMITS.model_copy(update={"recall_loss": 0.2})
    golden = judged(GOLDEN, scored(first(100), NOBODY), scored(first(70), NOBODY))
    newest = judged(NEWEST, scored(first(100)), scored(first(150)))
    assert judge([newest, golden], COSTS, loose).passed
    assert not judge([newest, golden], COSTS, LIMITS).passed


def test_too_few_frauds_judge_nobody() -> None:
    few = np.arange(ROWS) < LIMITS.min_frauds - 1
    poor = judged(GOLDEN, scored(first(10), labels=few), scored(first(40), labels=few))
    result = judge([judged(NEWEST, scored(first(100)), scored(first(150))), poor], COSTS, LIMITS)
    assert (result.passed, result.sets) == (False, [])
    assert result.reasons == ["golden: 49 frauds, at least 50 can judge"]


def test_no_frauds_at_all_and_nothing_but_fraud() -> None:
    for labels in (NOBODY, ~NOBODY):
        odd = judged(NEWEST, scored(first(10), labels=labels), scored(first(10), labels=labels))
        assert not judge([odd, SAME], COSTS, LIMITS).passed


def test_a_challenger_that_declines_everybody() -> None:
    everybody = scored(first(200), ~NOBODY)
    result = judge([judged(NEWEST, scored(first(100)), everybody), SAME], COSTS, LIMITS)
    assert not result.passed
    assert result.sets[0].challenger.decline_rate == 1.0


def audit_of(is_odd: bool) -> LabelAudit:
    """One analyst's labels, odd or not."""
    place = Odd(kind="cleared", where="eve", labels=50, odd=40, elsewhere=0.05, chance=1e-30, is_odd=is_odd)
    return LabelAudit(rows=ROWS, frauds=FRAUDS, labelled=300, overall=[], places=9, found=[place])


def test_odd_labels_keep_the_best_one_out() -> None:
    """By labels that somebody spoilt, it may well look good."""
    sets = [judged(NEWEST, scored(first(100)), scored(first(150))), SAME]
    result = judge(sets, COSTS, LIMITS, audit_of(is_odd=True))
    assert not result.passed
    assert result.reasons == [
        "labels: eve: 40 of 50 labels on what looks like fraud say legitimate (80.0%, elsewhere 5.0%)"
    ]
    assert len(result.sets) == 2
    quiet = judge(sets, COSTS, LIMITS, audit_of(is_odd=False))
    assert quiet.passed
    assert quiet.labels == audit_of(is_odd=False)


def test_odd_labels_are_told_where_too_few_frauds_judge() -> None:
    few = np.arange(ROWS) < 3
    poor = judged(GOLDEN, scored(first(10), labels=few), scored(first(40), labels=few))
    result = judge([SAME, poor], COSTS, LIMITS, audit_of(is_odd=True))
    assert [reason.split(":")[0] for reason in result.reasons] == ["labels", "golden"]


def test_equal_challengers_rarely_pass() -> None:
    """Two models as good as each other, 200 times: the gate is no coin."""
    random = np.random.default_rng(5)
    passed = 0
    for _ in range(60):
        sides = [scored(LABELS & (random.random(ROWS) < 0.5)) for _ in range(2)]
        passed += judge([judged(NEWEST, *sides), SAME], COSTS, LIMITS).passed
    assert passed <= 8
