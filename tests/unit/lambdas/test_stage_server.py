"""A stage's Lambda entry: direct invocations and HTTP events, good and bad."""

from __future__ import annotations

import base64
import json
import logging

import pytest

from assay.errors import RequestError
from assay.schemas.stages import RulesFlag, RulesResult
from assay.stage_server import MAX_REQUEST, stage_handler
from assay.stages import DECISION_ENGINE, RULES_ENGINE

CARD = "4111111111111111"
REQUEST = {"transaction_id": "t-1", "features": {"amount": 3, "channel": "web", "avg_tx_amount_7d": None}}
ANSWER = {"rules_flag": "FLAG", "fired": [], "not_evaluated": ["channel"], "total_rules": 3, "escalated": False}


def evaluate(request):
    if request.transaction_id == "broken":
        raise RuntimeError(f"no {CARD}")
    assert request.features["amount"] == 3.0
    return RulesResult(rules_flag=RulesFlag.FLAG, fired=[], not_evaluated=["channel"], total_rules=3)


HANDLER = stage_handler(RULES_ENGINE, evaluate)


def v2(body=None, method="POST", path="/", content_type="application/json", encoded=False):
    headers = {"content-type": content_type} if content_type else {}
    context = {"http": {"method": method, "path": path}}
    event = {"version": "2.0", "rawPath": path, "headers": headers, "requestContext": context}
    return event | ({"body": body} if body is not None else {}) | {"isBase64Encoded": encoded}


def v1(body=None, method="POST", path="/"):
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return {
        "version": "1.0",
        "httpMethod": method,
        "path": path,
        "headers": headers,
        "requestContext": {"stage": "prod"},
        "body": body,
        "isBase64Encoded": False,
    }


def b64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def problem(answer, status, code):
    json.dumps(answer, allow_nan=False)
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    document = json.loads(answer["body"])
    assert (answer["statusCode"], document["status"], document["type"]) == (status, status, f"urn:assay:problem:{code}")
    return document


def test_a_direct_invocation_is_answered_in_plain_json_types():
    answer = HANDLER(REQUEST, None)
    assert answer == ANSWER
    assert type(answer["rules_flag"]) is str
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize(
    "event",
    [
        v2(json.dumps(REQUEST)),
        v2(b64(json.dumps(REQUEST).encode()), encoded=True),
        v2(json.dumps(REQUEST), content_type="Application/JSON; charset=utf-8"),
        v1(json.dumps(REQUEST)),
    ],
    ids=["2.0", "2.0 base64", "2.0 charset", "1.0"],
)
def test_an_http_event_is_answered(event):
    answer = HANDLER(event, None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["headers"] == {"Content-Type": "application/json"}
    assert json.loads(answer["body"]) == ANSWER


@pytest.mark.parametrize("event", [v2(method="GET", path="/health", content_type=""), v1(None, "GET", "/health")])
def test_health(event):
    answer = HANDLER(event, None)
    assert (answer["statusCode"], answer["body"]) == (200, '{"status":"ok"}')


def test_text_of_an_enumeration_is_understood_and_text_of_a_number_is_not():
    """Strict Python validation would refuse the first, lax validation would take the second."""
    seen = []
    rules = {"rules_flag": "BLOCK", "fired": [], "not_evaluated": [], "total_rules": 1, "escalated": False}
    decision = {"transaction_id": "t", "amount": 1, "rules": rules, "isolation_forest": None}
    decision |= {"autoencoder": None, "xgboost_classifier": {"fraud_score": 1}}
    handler = stage_handler(DECISION_ENGINE, lambda request: seen.append(request) or request)
    handler(decision, None)
    assert seen[0].rules.rules_flag is RulesFlag.BLOCK
    with pytest.raises(RequestError, match="amount"):
        handler(decision | {"amount": "1"}, None)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        [REQUEST],
        "text",
        json.dumps(REQUEST),
        7,
        1.5,
        True,
        {},
        {"transaction_id": "t"},
        REQUEST | {"extra": 1},
        REQUEST | {"requestContext": None},
        REQUEST | {"transaction_id": 1},
        REQUEST | {"features": {"amount": float("nan")}},
        REQUEST | {"features": {"amount": float("inf")}},
        REQUEST | {"features": {"amount": [1]}},
        REQUEST | {"features": {"\ud800": 1}},
        {"Records": [{"eventSource": "aws:sqs"}]},
    ],
)
def test_an_invalid_direct_payload_raises_by_name_and_the_next_is_served(payload):
    with pytest.raises(RequestError, match=r"^rules_engine: not valid: \w") as refused:
        HANDLER(payload, None)
    assert refused.value.__cause__ is None
    assert HANDLER(REQUEST, None) == ANSWER


def test_payloads_nested_without_end_are_refused():
    nested: object = []
    for _ in range(200_000):
        nested = [nested]
    with pytest.raises(RequestError):
        HANDLER(REQUEST | {"features": nested}, None)


def test_a_refusal_never_repeats_the_value():
    with pytest.raises(RequestError) as refused:
        HANDLER(REQUEST | {"transaction_id": {CARD: CARD}, CARD: CARD}, None)
    assert CARD not in str(refused.value)


def test_a_fault_of_a_direct_invocation_is_raised_and_the_next_is_served():
    with pytest.raises(RuntimeError):
        HANDLER(REQUEST | {"transaction_id": "broken"}, None)
    assert HANDLER(REQUEST, None) == ANSWER


def test_a_fault_of_an_http_event_is_logged_and_answered(caplog):
    with caplog.at_level(logging.ERROR):
        document = problem(HANDLER(v2(json.dumps(REQUEST | {"transaction_id": "broken"})), None), 502, "stage_failed")
    assert CARD not in json.dumps(document)
    assert "RuntimeError" in caplog.text
    assert HANDLER(v2(json.dumps(REQUEST)), None)["statusCode"] == 200


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (v2(), 400, "malformed_json"),
        (v1(), 400, "malformed_json"),
        (v2(""), 400, "malformed_json"),
        (v2("{"), 400, "malformed_json"),
        (v2("[" * 100_000), 400, "malformed_json"),
        (v2('{"transaction_id":"t","features":{"amount":NaN}}'), 400, "not_finite"),
        (v2('{"transaction_id":"t","features":{"amount":1e999}}'), 400, "not_finite"),
        (v2('{"transaction_id":"t","transaction_id":"u","features":{}}'), 400, "duplicate_key"),
        (v2(b64(b'{"transaction_id":"\xff","features":{}}'), encoded=True), 400, "encoding"),
        (v2('{"transaction_id":"\ud800","features":{}}'), 400, "encoding"),
        (v2("not base64!", encoded=True), 400, "malformed_event"),
        (v2("nö", encoded=True), 400, "malformed_event"),
        (v2({"transaction_id": "t"}), 400, "malformed_event"),
        (v2("x" * (MAX_REQUEST + 1)), 413, "body_too_large"),
        (v2(b64(b" " * (MAX_REQUEST + 1)), encoded=True), 413, "body_too_large"),
        (v2("{}", content_type="text/plain"), 415, "media_type"),
        (v2("{}", content_type=""), 415, "media_type"),
        (v2("null"), 422, "validation"),
        (v2("[]"), 422, "validation"),
        (v2("7"), 422, "validation"),
        (v2('"text"'), 422, "validation"),
        (v2("{}"), 422, "validation"),
        (v2(json.dumps(REQUEST | {"extra": 1})), 422, "validation"),
        (v2(json.dumps(REQUEST | {"features": {"amount": {}}})), 422, "validation"),
        (v2(json.dumps(REQUEST | {"features": {"amount": CARD}})), 422, "card_number"),
        (v2("{}", path="/score"), 404, "not_found"),
        (v1("{}", path="/score"), 404, "not_found"),
        (v2("{}", method="GET"), 405, "method_not_allowed"),
        (v1("{}", method="DELETE", path="/health"), 405, "method_not_allowed"),
        ({"requestContext": {}}, 405, "method_not_allowed"),
        ({"requestContext": {"http": {}}, "headers": 7, "rawPath": 7}, 404, "not_found"),
        ({"requestContext": {"http": {"method": "POST"}}, "headers": [1], "body": 7}, 415, "media_type"),
    ],
)
def test_a_bad_http_event_is_answered_with_a_problem_and_the_next_is_served(event, status, code):
    answer = HANDLER(event, None)
    assert CARD not in answer["body"]
    problem(answer, status, code)
    assert HANDLER(v2(json.dumps(REQUEST)), None)["statusCode"] == 200


def test_what_is_allowed_is_said():
    assert HANDLER(v2(method="PUT"), None)["headers"]["Allow"] == "POST"


def test_a_decision_request_larger_than_a_transaction_is_served():
    """A release may hold 500 rules, and a decision request carries the texts of all that fired."""
    body = json.dumps(REQUEST | {"features": {"amount": 3, "channel": "x" * 500_000}})
    assert HANDLER(v2(body), None)["statusCode"] == 200
