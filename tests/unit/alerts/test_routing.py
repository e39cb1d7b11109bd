"""Which events alert whom."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.alerts.config import AlertsConfig, Condition, Route, default
from assay.errors import PoisonEvent
from functions.alerts.events import read
from functions.alerts.routing import Router, matches
from tests.harness.alerts import START, happened, scored

CARD = "4111 1111 1111 1111"


def routed(body: bytes, *conditions: Condition) -> list[str]:
    config = AlertsConfig(routes=[Route(name="a", when=list(conditions), to=["x@y"])]) if conditions else default()
    return [new.alert.route for new in Router(config).alerts(body, START)]


def test_what_is_declined_alerts_by_default_and_nothing_else() -> None:
    assert routed(scored(1)) == ["declined"]
    assert routed(scored(1, decision="CHALLENGE")) == []
    assert routed(scored(1, decision="APPROVE")) == []
    assert routed(happened("keys.rotated")) == []


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ({"min_fraud_score": 0.9}, {"fraud_score": 0.9}, {"fraud_score": 0.89}),
        ({"min_fraud_score": 0.0}, {"fraud_score": 0.0}, {"fraud_score": None}),
        ({"min_amount_base": 100}, {"amount_base": 100}, {"amount_base": 99.99}),
        ({"min_amount_base": 0}, {"amount_base": 1}, {"amount_base": None}),
        ({"rules": ["a", "b"]}, {"triggered_rules": ["c", "b"]}, {"triggered_rules": ["c"]}),
        ({"degraded": True}, {"degraded": ["profile"]}, {"degraded": []}),
        ({"degraded": False}, {"degraded": []}, {"degraded": ["profile"]}),
        ({"decisions": ["CHALLENGE"]}, {"decision": "CHALLENGE"}, {"decision": "DECLINE"}),
        ({"decisions": ["APPROVE"]}, {"decision": "APPROVE"}, {"decision": "DECLINE"}),
        ({"decisions": ["DECLINE"], "min_fraud_score": 0.5}, {"fraud_score": 0.6}, {"fraud_score": 0.4}),
    ],
)
def test_conditions(condition: dict, yes: dict, no: dict) -> None:
    when = Condition.model_validate_json(json.dumps(condition))
    assert routed(scored(1, **yes), when) == ["a"]
    assert routed(scored(1, **no), when) == []


def test_one_condition_of_several_is_enough_and_alerts_once() -> None:
    conditions = (Condition(degraded=False), Condition(min_fraud_score=0.5), Condition(min_fraud_score=0.99))
    assert routed(scored(1), *conditions) == ["a"]


def test_events_of_other_kinds() -> None:
    when = Condition(events=["session.reuse_detected"])
    assert routed(happened("session.reuse_detected"), when) == ["a"]
    assert routed(happened("user.logged_in"), when) == []
    assert routed(scored(1), when) == []


def test_an_account_is_masked_whatever_the_event_is_about() -> None:
    body = happened("card_order.dead", order_id="ord_1", account_id="account-1234", reason="HTTP 404")
    (new,) = Router(default()).alerts(body, START)
    assert json.loads(new.alert.details)["facts"] == {"order_id": "ord_1", "account_id": "…1234", "reason": "HTTP 404"}


def test_the_same_event_has_the_same_alert_and_another_another() -> None:
    def ids(*bodies: bytes) -> set[str]:
        return {new.alert.id for body in bodies for new in Router(default()).alerts(body, START)}

    assert len(ids(scored(1), scored(1), scored(1, fraud_score=0.98))) == 1
    assert len(ids(scored(1), scored(2), scored(1, client_id="other"))) == 3


def test_an_approved_event_is_not_even_parsed() -> None:
    broken = scored(1, decision="APPROVE")[:-1]
    assert routed(broken) == []
    with pytest.raises(PoisonEvent):
        routed(broken, Condition(degraded=True))


def test_what_looks_like_approved_elsewhere_is_parsed() -> None:
    text = {"analyst_text": '"decision":"APPROVE"', "code": "c", "weight": 1, "customer_text": ""}
    assert routed(scored(1, reasons=[text])) == ["declined"]
    spaced = json.dumps(json.loads(scored(1, decision="APPROVE"))).encode()
    assert routed(spaced) == []


FORGED = [
    b"",
    b"{}",
    b"[]",
    b"\xff",
    b"null",
    b'{"event": "transaction.scored", "version": 1}',
    scored(1).replace(b'"version":1', b'"version":2'),
    scored(1).replace(b'"DECLINE"', b'"REFUSE"'),
    scored(1).replace(b'"t-1"', b"1"),
    scored("t 1"),
    scored("t\r\nBcc: x@y"),
    scored("x" * 65),
    scored("4111111111111111"),
    scored(1, client_id="4111-1111-1111-1111"),
    scored(1, client_id="<script>"),
    scored(1).replace(b'"amount":1234.5,"currency"', b'"amount":"1","currency"'),
    happened("keys.rotated").replace(b"evt_1", b"4111111111111111"),
    happened("keys.rotated")[:-1] + b',"more":1}',
    happened("keys rotated"),
]


@pytest.mark.parametrize("body", FORGED)
def test_what_is_forged_is_poison_and_not_repeated(body: bytes) -> None:
    with pytest.raises(PoisonEvent) as poison:
        list(Router(default()).alerts(body, START))
    assert "4111" not in str(poison.value) and "Bcc" not in str(poison.value)


def test_no_card_number_and_nothing_unprintable_is_kept() -> None:
    transaction = {"account_id": CARD, "counterparty_id": "m\r\nBcc: x@y\u202e", "channel": f"\u200b{CARD}"}
    reasons = [{"analyst_text": f"card {CARD} \x00 {'x' * 10_000}"}]
    body = scored(1, transaction=transaction, reasons=reasons, triggered_by=CARD, degraded=[CARD])
    (new,) = Router(default()).alerts(body, START)
    details = json.loads(new.alert.details)
    assert "1111" not in new.alert.details
    assert details["reasons"] == ["[removed]"]
    assert details["account"] == "[removed]"
    assert all(text.isprintable() for text in (details["counterparty"], details["channel"]))
    (other,) = Router(AlertsConfig(routes=[Route(name="a", when=[Condition(events=["x.y"])], to=["x@y"])])).alerts(
        happened("x.y", note=CARD, list=["a", "\x07b"], count=3), START
    )
    assert json.loads(other.alert.details)["facts"] == {"note": "[removed]", "list": "a, b", "count": "3"}


@given(
    st.sampled_from(["APPROVE", "CHALLENGE", "DECLINE"]),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1e6),
    st.lists(st.sampled_from("abc")),
    st.booleans(),
    st.builds(
        dict,
        decisions=st.none() | st.lists(st.sampled_from(["APPROVE", "CHALLENGE", "DECLINE"]), min_size=1),
        min_fraud_score=st.none() | st.floats(0, 1),
        min_amount_base=st.none() | st.floats(0, 1e6),
        rules=st.none() | st.lists(st.sampled_from("abc"), min_size=1),
        degraded=st.none() | st.booleans(),
    ),
)
def test_a_condition_holds_when_each_of_its_parts_does(decision, score, amount, rules, degraded, given_parts) -> None:
    parts = {key: value for key, value in given_parts.items() if value is not None} or {"degraded": degraded}
    changes = {"decision": decision, "fraud_score": score, "amount_base": amount, "triggered_rules": rules}
    event = read(scored(1, **changes, degraded=["profile"] if degraded else []))
    singly = [matches(Condition.model_validate_json(json.dumps({key: value})), event) for key, value in parts.items()]
    together = matches(Condition.model_validate_json(json.dumps(parts)), event)
    assert together == all(singly)
    assert bool(routed(scored(1, **changes, degraded=["profile"] if degraded else []), _condition(parts))) == together


def _condition(parts: dict) -> Condition:
    return Condition.model_validate_json(json.dumps(parts))
