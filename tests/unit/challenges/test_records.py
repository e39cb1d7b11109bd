"""How challenges change: whatever happens in whatever order."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from assay.challenges.records import (
    Challenge,
    ChallengeStatus,
    Delivery,
    Method,
    expired,
    handed_over,
    is_overdue,
    issued,
    outcome,
    recent,
    tried,
)

NEW = Challenge("chl_1", "shop", "t-1", "a-1", "[]", Method.CODE, 0, 300)
STEPS = st.lists(st.sampled_from(["right", "wrong", "expire", "send", "sent"]), max_size=30)


@given(STEPS, st.integers(1, 10))
def test_it_ends_once_and_within_its_tries(steps: list[str], most: int) -> None:
    challenge, ends, wrong = NEW, [], 0
    for step in steps:
        if challenge.status is not ChallengeStatus.PENDING:
            break
        before = challenge
        match step:
            case "right":
                challenge = tried(challenge, right=True, most=most)
            case "wrong":
                challenge, wrong = tried(challenge, right=False, most=most), wrong + 1
            case "expire":
                challenge = expired(challenge)
            case "send":
                challenge = issued(challenge, b"salt", b"digest", 15)
            case "sent":
                challenge = handed_over(challenge, Delivery.SENT, 7)
        assert challenge.version == before.version + 1
        if challenge.status is not ChallengeStatus.PENDING:
            ends.append(challenge.status)
            assert challenge.digest is None
    assert len(ends) <= 1
    assert challenge.tries <= most
    assert (challenge.status is ChallengeStatus.FAILED) == (wrong == most)


def test_the_outcome_says_how_and_what_is_decided() -> None:
    expected = {
        ChallengeStatus.PASSED: ("APPROVE", "step_up_passed"),
        ChallengeStatus.FAILED: ("DECLINE", "step_up_failed"),
        ChallengeStatus.EXPIRED: ("DECLINE", "step_up_expired"),
    }
    for status, (decision, reason) in expected.items():
        how, final = outcome(replace(NEW, status=status))
        assert how.event == f"challenge.{status.value}"
        document = json.loads(final.to_json())
        assert (document["event"], document["client_id"]) == ("decision.final", "shop")
        assert document["data"] == {
            "transaction_id": "t-1",
            "challenge_id": "chl_1",
            "decision": decision,
            "reason": reason,
        }


def test_it_is_overdue_from_its_end_on() -> None:
    assert [is_overdue(NEW, now) for now in (0, 299, 300, 301)] == [False, False, True, True]
    assert not is_overdue(replace(NEW, status=ChallengeStatus.PASSED), 301)


def test_the_window_is_open_at_its_beginning() -> None:
    assert recent((1, 2, 3), 12, 10) == (3,)
