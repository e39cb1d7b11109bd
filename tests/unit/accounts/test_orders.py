"""Orders and what becomes of them after an attempt."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.accounts.orders import OrderKind, OrderState, freezing, releasing
from assay.accounts.ports import Answer, Outcome
from assay.accounts.records import Account, Cause, Freeze, Release, frozen, released
from assay.adapters.cards_http import answer_of
from assay.schemas.stages import Reason
from assay.webhooks.sender import Delivery
from assay.webhooks.sender import Outcome as Sent
from functions.action_layer.cards import Patience, settled

SECOND = 1_000_000
REASON = Reason(
    code="rule:ip_botnet", weight=3.0, analyst_text="200 accounts", customer_text="We could not confirm it."
)
FREEZE = Freeze(Cause(5 * SECOND, "shop", "t-1"), 60 * SECOND, (REASON,))
ACCOUNT = frozen(Account("acct-1"), FREEZE)
BLOCK, UNBLOCK = freezing(ACCOUNT, FREEZE, 6 * SECOND)


def test_a_freeze_that_ends_by_itself_has_both_its_orders_from_the_start() -> None:
    assert (BLOCK.kind, BLOCK.due_at, UNBLOCK.kind, UNBLOCK.due_at) == (
        OrderKind.BLOCK,
        6 * SECOND,
        OrderKind.UNBLOCK,
        60 * SECOND,
    )
    assert BLOCK.sequence < UNBLOCK.sequence
    assert len(freezing(ACCOUNT, Freeze(FREEZE.cause, None, ()), 6 * SECOND)) == 1


def test_what_is_sent_names_the_cause_and_nothing_that_an_analyst_only_may_know() -> None:
    document = json.loads(BLOCK.body)
    assert document["type"] == "cards.block"
    assert document["timestamp"] == "1970-01-01T00:00:06Z"
    assert document["data"] == {
        "order_id": BLOCK.id,
        "account_id": "acct-1",
        "sequence": BLOCK.sequence,
        "until": "1970-01-01T00:01:00Z",
        "cause": {"client_id": "shop", "transaction_id": "t-1"},
        "reasons": [{"code": "rule:ip_botnet", "customer_text": "We could not confirm it."}],
    }
    assert "200 accounts" not in repr(BLOCK)


def test_ids_are_one_per_effect() -> None:
    assert freezing(ACCOUNT, FREEZE, 7 * SECOND)[0].id == BLOCK.id
    after = released(ACCOUNT, Release(9 * SECOND, "ann", "known"))
    (release,) = releasing(after, FREEZE, 9 * SECOND)
    again = frozen(after, Freeze(Cause(10 * SECOND, "shop", "t-2"), None, ()))
    assert len({BLOCK.id, UNBLOCK.id, release.id, freezing(again, again.freeze, 11 * SECOND)[0].id}) == 4  # type: ignore[arg-type]
    assert BLOCK.sequence < UNBLOCK.sequence < release.sequence


def test_a_block_is_pointless_once_the_freeze_is_over() -> None:
    assert [BLOCK.is_pointless(now * SECOND) for now in (59, 60)] == [False, True]
    assert not UNBLOCK.is_pointless(61 * SECOND)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (Sent(Delivery.DELIVERED, "HTTP 200", answer=b'{"status":"done"}', status=200), Answer(Outcome.DONE)),
        (Sent(Delivery.DELIVERED, "HTTP 202", answer=b'{"status": "done", "id": 1}', status=202), Answer(Outcome.DONE)),
        (Sent(Delivery.DELIVERED, "HTTP 204", status=204), Answer(Outcome.DONE)),
        (Sent(Delivery.REFUSED, "HTTP 409", answer=b"<html>", status=409), Answer(Outcome.DONE)),
        *(
            (
                Sent(Delivery.DELIVERED, "HTTP 200", answer=body, status=200),
                Answer(Outcome.RETRY, "HTTP 200 without a confirmation"),
            )
            for body in (
                b"",
                b"OK",
                b'{"status":"error"}',
                b'{"status":"DONE"}',
                b'{"error":"no"}',
                b'["done"]',
                b'"done"',
                b'{"status":"done"',
                b"\xff\xfe",
                b"[" * 60_000,
                b"null",
            )
        ),
        (Sent(Delivery.RETRY, "HTTP 503", 7.0, status=503), Answer(Outcome.RETRY, "HTTP 503", 7.0)),
        (Sent(Delivery.RETRY, "TimeoutError"), Answer(Outcome.RETRY, "TimeoutError")),
        (Sent(Delivery.REFUSED, "HTTP 401", status=401), Answer(Outcome.RETRY, "HTTP 401")),
        (Sent(Delivery.REFUSED, "HTTP 404", status=404), Answer(Outcome.REFUSED, "HTTP 404")),
        (Sent(Delivery.GONE, "HTTP 410", status=410), Answer(Outcome.REFUSED, "HTTP 410")),
        (Sent(Delivery.REFUSED, "HTTP 302", status=302), Answer(Outcome.REFUSED, "HTTP 302")),
        (Sent(Delivery.REFUSED, "HTTP 400", status=400), Answer(Outcome.REFUSED, "HTTP 400")),
    ],
)
def test_answers(sent: Sent, expected: Answer) -> None:
    assert answer_of(sent) == expected


@given(st.integers(1, 30), st.floats(0, 1, exclude_max=True), st.sampled_from(list(Outcome)), st.floats(0, 1e4))
def test_after_an_attempt(attempts: int, draw: float, outcome: Outcome, wait_s: float) -> None:
    patience, now = Patience(), 100 * SECOND
    after = settled(replace(BLOCK, attempts=attempts), Answer(outcome, "why", wait_s), patience, now, draw)
    if outcome is Outcome.DONE:
        assert (after.state, after.error) == (OrderState.DONE, "")
    elif outcome is Outcome.NEEDLESS:
        assert (after.state, after.error) == (OrderState.DROPPED, "")
    elif outcome is Outcome.REFUSED or attempts >= patience.attempts:
        assert (after.state, after.error) == (OrderState.DEAD, "why")
    else:
        assert (after.state, after.error) == (OrderState.PENDING, "why")
        bound = max(wait_s, min(patience.longest_wait_s, 2.0 ** (attempts - 1)))
        assert now + int(wait_s * SECOND) <= after.due_at <= now + bound * SECOND + 1
