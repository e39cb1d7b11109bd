"""The profile against the oracle, on random streams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.features.catalog import NAMES
from assay.features.profile import Profile
from tests.unit.features.oracle import Oracle
from tests.unit.features.streams import ListHistory, events, pruning_at, steps

PATIENT = settings(deadline=None, max_examples=150)


def assert_same(found, expected):
    for name, value in expected.items():
        answer = found[name]
        if value is None or answer is None:
            assert answer is value is None, (name, answer, value)
        elif isinstance(value, str):
            assert answer == value, name
        else:
            assert answer == pytest.approx(value, rel=1e-9, abs=1e-12), name
            assert isinstance(answer, float), name


def tell(profile, kind, event):
    """A label or a login, to a profile."""
    if kind == "label":
        profile.confirm_fraud(event)
    else:
        profile.record_login(event)


def assert_like_oracle(plan):
    profile, oracle = Profile(), Oracle()
    for kind, event in events(plan):
        if kind == "tx":
            found = profile.observe(event)
            assert tuple(found) == NAMES
            assert_same(found, oracle.observe(event))
        else:
            tell(profile, kind, event)
            (oracle.frauds if kind == "label" else oracle.logins).append(event)


@PATIENT
@given(steps(late=False))
def test_in_order(plan):
    assert_like_oracle(plan)


@PATIENT
@given(steps(late=True))
def test_out_of_order(plan):
    assert_like_oracle(plan)


@PATIENT
@given(st.booleans().flatmap(lambda late: steps(late)), st.integers(1, 8))
def test_pruning_changes_no_answer(plan, count):
    with pruning_at(count):
        assert_like_oracle(plan)


@PATIENT
@given(st.booleans().flatmap(lambda late: steps(late)), st.data(), st.integers(1, 64))
def test_retracted_is_as_if_it_never_was(plan, data, count):
    with pruning_at(count):
        profile, innocent = Profile(), Profile()
        for kind, event in events([step for step in plan if step.kind != "label"]):
            failed = data.draw(st.booleans())
            if kind == "tx":
                answer = profile.observe(event)
                assert failed or answer == innocent.observe(event)
            else:
                profile.record_login(event)
            if failed:
                (profile.retract if kind == "tx" else profile.retract_login)(event)
            elif kind == "login":
                innocent.record_login(event)


@PATIENT
@given(steps(late=True, kinds=("tx",), max_size=25), st.data())
def test_several_retracted_in_any_order(plan, data):
    # Commits are grouped, so that several may fail together; they are seconds apart, not weeks.
    profile, innocent = Profile(), Profile()
    observed = [tx for _, tx in events([step for step in plan if abs(step.delta) <= 5 * 3_600_000_000])]
    failed = {tx.transaction_id for tx in observed if data.draw(st.booleans())}
    for tx in observed:
        profile.observe(tx)
        if tx.transaction_id not in failed:
            innocent.observe(tx)
    for tx in data.draw(st.permutations([tx for tx in observed if tx.transaction_id in failed])):
        profile.retract(tx)
    for kind, event in events(plan):
        if kind == "tx":
            assert profile.observe(event) == innocent.observe(event)


@PATIENT
@given(st.booleans().flatmap(lambda late: steps(late)), st.sampled_from((1, 2, 3, 100)), st.integers(1, 64))
def test_reloaded_answers_like_never_forgotten(plan, capacity, count):
    history, complete = ListHistory(), Profile()
    forgetful = Profile(history, capacity)
    with pruning_at(count):
        for kind, event in events(plan):
            if kind == "tx":
                assert_same(forgetful.observe(event), complete.observe(event))
                history.stored.append(event)
                continue
            if kind == "label":
                history.frauds.add(event.transaction_id)
                tell(forgetful, kind, event)
            else:
                tell(forgetful, kind, event)
                history.stored_logins.append(event)
            tell(complete, kind, event)
