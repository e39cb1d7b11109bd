"""The public API through sam's gateway: orchestrator container, stage containers, DynamoDB, topic, queue, consumer."""

from __future__ import annotations

import json

import httpx
import pytest

from assay.schemas.verdict import FraudVerdict
from local.aws.stack import LocalAws
from tests.containers.installation import EVENTS, client_of, recorded, score, transaction
from tests.harness import problems
from tests.harness.waiting import eventually

JSON = {"Content-Type": "application/json"}
EXPECTED = {
    "score_genuine.json": {"APPROVE"},
    "score_risky.json": {"CHALLENGE", "DECLINE"},
    "score_blocked.json": {"DECLINE"},
}


@pytest.mark.parametrize("file", EXPECTED)
def test_a_sample_gets_its_verdict(client: httpx.Client, file: str) -> None:
    answer = client.post("/score", content=(EVENTS / file).read_bytes(), headers=JSON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    verdict = FraudVerdict.model_validate_json(answer.content)
    assert verdict.decision in EXPECTED[file]
    assert verdict.degraded == []
    assert verdict.is_early_exit is ("blocked" in file)
    assert (verdict.fraud_score is None) is verdict.is_early_exit
    assert client.get(f"/decisions/{verdict.transaction_id}").content == answer.content


def test_a_retry_gets_the_same_bytes_and_another_body_a_conflict(client: httpx.Client) -> None:
    body = transaction()
    first = client.post("/score", json=body)
    assert first.status_code == 200, first.text
    assert client.post("/score", json=dict(reversed(body.items()))).content == first.content
    other = client.post("/score", json={**body, "amount": 25.0})
    assert not problems.faults(other.status_code, other.headers, other.content, statuses=[409])
    assert client.get(f"/decisions/{body['transaction_id']}").content == first.content


def test_a_decision_is_the_clients_own(aws: LocalAws, client: httpx.Client) -> None:
    body = transaction()
    score(client, body)
    with client_of(aws, "other") as other:
        refused = other.get(f"/decisions/{body['transaction_id']}")
    assert not problems.faults(refused.status_code, refused.headers, refused.content, statuses=[404])


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer e30.e30.e30"])
def test_without_a_token_nothing_is_decided(aws: LocalAws, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.post(f"{aws.api_url}/score", json=transaction(), headers=headers, timeout=60)
    assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[401])


def test_failed_logins_reach_the_rules(client: httpx.Client) -> None:
    account = transaction()["account_id"]
    for n in range(4):
        login = {"event_id": f"{account}-{n}", "account_id": account, "outcome": "failure"}
        answers = [client.post("/events/logins", json=login) for _ in range(2)]
        assert [(answer.status_code, answer.json()["recorded"]) for answer in answers] == [(202, True), (202, False)]
    assert "brute_force_login" in score(client, transaction(account_id=account)).triggered_rules


def test_every_public_route_is_served(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert "/score" in client.get("/openapi.json").json()["paths"]
    assert client.get("/docs").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("file", ["score_genuine.json", "score_blocked.json"])
def test_every_verdict_reaches_the_archive_whole(aws: LocalAws, client: httpx.Client, file: str) -> None:
    sample = json.loads((EVENTS / file).read_text())
    body = transaction(**{name: value for name, value in sample.items() if name != "transaction_id"})
    answer = client.post("/score", json=body)

    def mine() -> list[dict[str, object]]:
        return [event for event in recorded(aws) if event["transaction"] == body]

    eventually(lambda: bool(mine()))
    (event,) = mine()
    assert event["verdict"] == answer.json()
    assert event["client_id"] == "shop"
    assert event["features"]
