"""Which opinion is in effect, which waits, and that repeats change nothing."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from assay.features.windows import DAY, HOUR
from assay.labels.records import MAX_OPINIONS, Label, Labelling, Outcome, Sent, event_of, take
from tests.harness.labels import START, sent, subject

FRAUD, FALSE, HONEST, UNSURE = Label


def after(*opinions: Sent, used: int = 0) -> tuple[Labelling, list[Outcome]]:
    labelling, outcomes = Labelling(subject()), []
    for one in opinions:
        taken = take(labelling, one, used)
        labelling = taken.labelling
        outcomes.append(taken.outcome)
    return labelling, outcomes


def in_effect(labelling: Labelling) -> tuple[Label, str] | None:
    return None if labelling.current is None else (labelling.current.label, labelling.current.by)


def test_the_newest_by_its_own_moment_is_in_effect_and_all_are_kept() -> None:
    late = sent(HONEST, "ben", START + 9 * HOUR, labelled_at=START + HOUR)
    labelling, outcomes = after(sent(FRAUD, at=START + 5 * HOUR), late)
    assert (in_effect(labelling), outcomes) == ((FRAUD, "ana"), [Outcome.RECORDED] * 2)
    assert [one.label for one in labelling.opinions] == [FRAUD, HONEST]
    labelling, _ = after(late, sent(FRAUD, at=START + 5 * HOUR))
    assert in_effect(labelling) == (FRAUD, "ana")


def test_of_equal_moments_the_last_that_came_is_in_effect() -> None:
    labelling, _ = after(sent(FRAUD), sent(HONEST, "ben"))
    assert in_effect(labelling) == (HONEST, "ben")


def test_the_same_again_changes_nothing() -> None:
    first = sent(FRAUD)
    labelling, outcomes = after(first, sent(FRAUD, at=START + DAY), first)
    assert (len(labelling.opinions), labelling.version) == (1, 1)
    assert outcomes == [Outcome.RECORDED, Outcome.UNCHANGED, Outcome.UNCHANGED]


def test_a_repeat_does_not_undo_what_somebody_else_has_changed() -> None:
    first, other = sent(FRAUD), sent(HONEST, "ben", START + HOUR)
    labelling, outcomes = after(first, other, sent(FRAUD, at=START + 2 * HOUR))
    assert (in_effect(labelling), outcomes[-1]) == ((HONEST, "ben"), Outcome.UNCHANGED)
    again = sent(FRAUD, at=START + 3 * HOUR, labelled_at=START + 3 * HOUR)
    assert in_effect(take(labelling, again, 0).labelling) == (FRAUD, "ana")


def test_a_person_may_change_their_mind() -> None:
    labelling, outcomes = after(sent(FRAUD), sent(HONEST, at=START + 1), sent(FRAUD, at=START + 2))
    assert (in_effect(labelling), outcomes) == ((FRAUD, "ana"), [Outcome.RECORDED] * 3)
    assert len(labelling.opinions) == 3


def test_beyond_the_allowance_it_waits_for_another_person() -> None:
    waiting = take(Labelling(subject()), sent(FRAUD), used=2)
    assert (waiting.outcome, waiting.labelling.current) == (Outcome.PENDING, None)
    assert waiting.labelling.waiting_since == START
    same = take(waiting.labelling, sent(FRAUD, at=START + 1), used=2)
    assert same.outcome is Outcome.UNCHANGED
    program = take(waiting.labelling, sent(FRAUD, "shop", by_person=False), used=2)
    assert program.outcome is Outcome.PENDING
    other_label = take(waiting.labelling, sent(HONEST, "ben"), used=0)
    assert (other_label.outcome, in_effect(other_label.labelling)) == (Outcome.RECORDED, (HONEST, "ben"))
    assert other_label.labelling.waiting_since == START
    second = take(waiting.labelling, sent(FRAUD, "ben", START + HOUR), used=99)
    assert (second.outcome, in_effect(second.labelling)) == (Outcome.CONFIRMED, (FRAUD, "ben"))
    assert second.labelling.waiting_since is None
    first = second.labelling.opinions[0]
    assert (first.confirmed_by, first.counts_since) == ("ben", START + HOUR)


def test_there_is_an_end_to_opinions() -> None:
    labels = [FRAUD, HONEST] * (MAX_OPINIONS // 2)
    labelling, outcomes = after(*(sent(label, at=START + n) for n, label in enumerate(labels)))
    assert set(outcomes) == {Outcome.RECORDED}
    assert take(labelling, sent(FRAUD, at=START + DAY), 0).outcome is Outcome.FULL


def test_the_event_holds_ids_and_labels_only() -> None:
    one = sent(FRAUD)
    event = event_of(take(Labelling(subject()), one, 0), one, None)
    assert (event.event, event.client_id) == ("label.recorded", "ana")
    assert event.data == {
        "client_id": "shop",
        "transaction_id": "t",
        "label": "fraud_confirmed",
        "outcome": "recorded",
        "in_effect": "fraud_confirmed",
        "before": None,
    }


def test_what_is_inconclusive_is_neither() -> None:
    assert [label.is_fraud for label in Label] == [True, False, False, None]


opinions = st.lists(
    st.tuples(
        st.sampled_from(["ana", "ben", "shop"]),
        st.sampled_from(["t1", "t2", "t3", "t4"]),
        st.sampled_from(list(Label)),
        st.integers(0, 2),  # the day
        st.none() | st.integers(0, 3),  # hours, when dated
    ),
    max_size=40,
)


@given(opinions)
def test_never_more_count_without_a_second_person_than_are_allowed_and_repeats_are_nothing(
    stream: list[tuple[str, str, Label, int, int | None]],
) -> None:
    allowance = 2
    labellings = {name: Labelling(subject(name)) for name in ("t1", "t2", "t3", "t4")}
    used: Counter[tuple[str, int]] = Counter()
    alone: defaultdict[tuple[str, int], int] = defaultdict(int)
    for n, (by, name, label, day, hours) in enumerate(sorted(stream, key=lambda row: row[3])):
        at = START + day * DAY + n
        dated = None if hours is None else START + hours * HOUR
        one = sent(label, by, at, dated, by != "shop", allowance, subject(name))
        taken = take(labellings[name], one, used[by, day])
        used[by, day] += taken.outcome is Outcome.RECORDED
        labellings[name] = taken.labelling
        again = take(taken.labelling, one, used[by, day])
        assert again.outcome in {Outcome.UNCHANGED, Outcome.FULL} and again.labelling is taken.labelling
    for labelling in labellings.values():
        confirmers = {(one.confirmed_by, one.counts_since) for one in labelling.opinions}
        for one in labelling.opinions:
            needs_nobody = one.confirmed_by is None and (one.by, one.at) not in confirmers
            if one.counts_since is not None and needs_nobody:
                alone[one.by, one.at // DAY] += 1
        waiting = {one.label for one in labelling.opinions if one.counts_since is None}
        for label in waiting:  # of those that wait no two persons have said the same
            persons = {one.by for one in labelling.opinions if one.label is label} - {"shop"}
            assert len(persons) <= 1 or _an_earlier_one_counted(labelling, label)
    assert all(count <= allowance for count in alone.values())


def _an_earlier_one_counted(labelling: Labelling, label: Label) -> bool:
    """Then the second person had nothing to confirm when they said it."""
    return any(one.label is label and one.counts_since is not None for one in labelling.opinions)
