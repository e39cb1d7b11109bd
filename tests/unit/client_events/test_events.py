"""What clients are told of an event, and which client it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay.challenges.records import Challenge, ChallengeStatus, Method, outcome
from assay.client_events.records import FACTS, KINDS
from assay.errors import PoisonEvent
from functions.client_events.contracts import Kind
from functions.client_events.events import read
from tests.harness.client_events import START, event


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_about_its_client(kind: str) -> None:
    news = read(event(3, kind, "bank"))
    assert (news.client_id, news.event_id, news.kind, news.occurred_at) == ("bank", "evt_bank_3", kind, START)
    assert news.facts.keys() <= set(FACTS[kind])
    assert news.facts["transaction_id"] == "t-3"


def test_who_released_an_account_and_why_is_not_told() -> None:
    facts = read(event(1, "account.released", reason="He begged.", order_id="ord_1")).facts
    assert facts == {"account_id": "a-1", "transaction_id": "t-1", "version": 1}


def test_a_final_decision_is_as_challenges_make_it() -> None:
    about = ("chl_1", "shop", "t-1", "a-1", "", Method.CODE, START, START)
    final = outcome(Challenge(*about, status=ChallengeStatus.EXPIRED))[1]
    news = read(final.to_json())
    assert (news.client_id, news.kind) == ("shop", "decision.final")
    assert news.facts == {
        "transaction_id": "t-1",
        "challenge_id": "chl_1",
        "decision": "DECLINE",
        "reason": "step_up_expired",
    }


WRONG: dict[str, dict[str, Any]] = {
    "another kind": {"event": "user.logged_in"},
    "another version": {"version": 2},
    "a dot in the id": {"id": "evt.1"},
    "no id": {"id": ""},
    "no data": {"data": {}},
    "no client": {"data": {"client_id": None, "transaction_id": "t-1"}},
    "a wrong client": {"data": {"client_id": "a#b", "transaction_id": "t-1"}},
    "a list of clients": {"data": {"client_id": ["shop"], "transaction_id": "t-1"}},
    "no transaction": {"data": {"client_id": "shop"}},
    "something else": {"more": 1},
    "no time": {"occurred_at": "yesterday"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_poison(wrong: dict[str, Any]) -> None:
    with pytest.raises(PoisonEvent, match="not an event for a client: 1 errors"):
        read(json.dumps({**json.loads(event()), **wrong}).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff", b"0" * 9])
def test_garbage(body: bytes) -> None:
    with pytest.raises(PoisonEvent):
        read(body)


def test_the_routes_kinds_are_all_kinds() -> None:
    assert Kind.__args__ == KINDS  # type: ignore[attr-defined]
