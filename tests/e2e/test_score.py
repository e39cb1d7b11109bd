"""A verdict over HTTP, from the samples of `events/` to retries, other people's decisions and tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import pytest

from assay.schemas.verdict import FraudVerdict
from tests.harness import problems, state
from tests.harness.service import EVENTS, JSON, Service, running_service

NUMBERS = count(1)
EXPECTED = {
    "score_genuine.json": {"APPROVE"},
    "score_flat_genuine.json": {"APPROVE"},
    "score_risky.json": {"CHALLENGE"},
    "score_blocked.json": {"DECLINE"},
    "score_flat_blocked.json": {"DECLINE"},
}
REFUSED_FIELD = {
    "login_without_account.json": "account_id",
    "score_amount_as_text.json": "amount",
    "score_card_number.json": "account_id",
    "score_unknown_field.json": "verdict",
}


def transaction(**changes: Any) -> dict[str, Any]:
    """The genuine sample, with an id, an account, a device and an address of its own."""
    body, n = json.loads((EVENTS / "score_genuine.json").read_text()), next(NUMBERS)
    own = {
        "transaction_id": f"e2e-{n}",
        "account_id": f"acct-{n}",
        "device_id": f"phone-{n}",
        "ip_address": f"2001:db8::{n}",
    }
    return {**body, **own, **changes}


def score(client: httpx.Client, body: dict[str, Any], query: str = "") -> FraudVerdict:
    answer = client.post(f"/score{query}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return FraudVerdict.model_validate_json(answer.content)


def test_every_sample_is_used() -> None:
    named = {*EXPECTED, *REFUSED_FIELD, "login_failure.json", "login_success.json", "expected.json"}
    assert {path.name for path in (*EVENTS.glob("*.json"), *EVENTS.glob("invalid/*.json"))} == named


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a server of its own: what other tests do to the samples' accounts has them declined, or frozen."""
    with running_service(tmp_path_factory.mktemp("samples") / "data") as service, service.client() as found:
        yield found


@pytest.mark.parametrize("file", EXPECTED)
def test_a_sample_gets_its_verdict(fresh: httpx.Client, file: str) -> None:
    answer = fresh.post("/score", content=(EVENTS / file).read_bytes(), headers=JSON)
    assert answer.status_code == 200, answer.text
    verdict = FraudVerdict.model_validate_json(answer.content)
    assert verdict.decision in EXPECTED[file]
    assert verdict.degraded == []
    assert verdict.is_early_exit is ("blocked" in file)
    assert fresh.get(f"/decisions/{verdict.transaction_id}").content == answer.content
    if verdict.is_early_exit:
        assert (verdict.fraud_score, verdict.if_score, verdict.ae_error) == (None, None, None)
        assert "models" not in verdict.timings_us
    else:
        assert verdict.fraud_score is not None
        assert "models" in verdict.timings_us
    if verdict.decision != "APPROVE":
        assert verdict.reasons


@pytest.mark.parametrize("file", ["login_failure.json", "login_success.json"])
def test_a_login_sample_is_recorded_once(client: httpx.Client, file: str) -> None:
    answers = [client.post("/events/logins", content=(EVENTS / file).read_bytes(), headers=JSON) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert [answer.json()["recorded"] for answer in answers] == [True, False, False]


@pytest.mark.parametrize("file", REFUSED_FIELD)
def test_a_bad_sample_is_refused_with_its_field_named(client: httpx.Client, server: Service, file: str) -> None:
    before = server.counts()
    path = "/events/logins" if file.startswith("login") else "/score"
    answer = client.post(path, content=(EVENTS / "invalid" / file).read_bytes(), headers=JSON)
    secrets = ["4111111111111111"]
    assert not problems.faults(answer.status_code, answer.headers, answer.content, [REFUSED_FIELD[file]], secrets)
    assert server.counts() == before


def test_a_decision_is_the_clients_own(client: httpx.Client, server: Service) -> None:
    body = transaction()
    mine = client.post("/score", json=body)
    with server.client("other") as other:
        refused = other.get(f"/decisions/{body['transaction_id']}")
        assert not problems.faults(refused.status_code, refused.headers, refused.content, statuses=[404])
        theirs = other.post("/score", json=body)
        assert theirs.status_code == 200
        assert other.get(f"/decisions/{body['transaction_id']}").content == theirs.content
    assert client.get(f"/decisions/{body['transaction_id']}").content == mine.content != theirs.content


def test_a_retry_gets_the_same_bytes_and_nothing_changes(client: httpx.Client, server: Service) -> None:
    body = transaction()
    first = client.post("/score", json=body)
    before = server.counts()
    reordered = dict(reversed(body.items()))
    assert client.post("/score", json=body).content == first.content
    assert client.post("/score?explain=true", json=reordered).content == first.content
    other = client.post("/score", json={**body, "amount": 25.0})
    assert not problems.faults(other.status_code, other.headers, other.content, statuses=[409])
    assert client.get(f"/decisions/{body['transaction_id']}").content == first.content
    assert server.counts() == before


def test_twenty_at_once_get_one_decision(client: httpx.Client, server: Service) -> None:
    body, before = transaction(), server.counts()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: client.post("/score", json=body), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert server.counts()["decisions"] == before["decisions"] + 1


def test_an_explanation_can_be_asked_for(client: httpx.Client) -> None:
    approved = score(client, transaction(), "?explain=true")
    assert approved.decision == "APPROVE"
    assert approved.reasons == []
    risky = json.loads((EVENTS / "score_risky.json").read_text())
    unlike = score(client, {**risky, "transaction_id": "explained", "account_id": "acct-explained"}, "?explain=true")
    assert unlike.decision != "APPROVE"
    assert [reason.weight for reason in unlike.reasons] == sorted((r.weight for r in unlike.reasons), reverse=True)


def test_failed_logins_reach_the_rules(client: httpx.Client) -> None:
    account = f"acct-{next(NUMBERS)}"
    for n in range(4):
        login = {"event_id": f"{account}-{n}", "account_id": account, "outcome": "failure"}
        assert client.post("/events/logins", json=login).json() == {"recorded": True}
        assert client.post("/events/logins", json=login).json() == {"recorded": False}
        verdict = score(client, transaction(account_id=account))
        assert ("brute_force_login" in verdict.triggered_rules) is (n == 3)
    assert verdict.decision != "APPROVE"


def test_the_same_login_event_of_another_client_is_another_event(client: httpx.Client, server: Service) -> None:
    login = {"event_id": "shared-id", "account_id": "acct-shared", "outcome": "failure"}
    with server.client("other") as other:
        assert [c.post("/events/logins", json=login).json()["recorded"] for c in (client, other)] == [True, True]


def test_every_verdict_reaches_the_recorder_whole(client: httpx.Client, server: Service) -> None:
    body = transaction()
    answer = client.post("/score", json=body)
    state.drained(server.data)
    statement = "SELECT body FROM scored_events WHERE client_id = 'shop' AND transaction_id = ?"
    event = json.loads(state.query(server.data, statement, body["transaction_id"])[0][0])
    assert event["verdict"] == answer.json()
    assert event["transaction"] == body
    assert event["features"]["account_tx_count_30d"] == 1.0


def test_extreme_but_valid_values_are_decided_whole(client: httpx.Client) -> None:
    ratios = {"tx_frequency_ratio": 1e12, "avg_tx_amount_7d": 1e12, "amount_to_avg_ratio": 19.0}
    loud = transaction(amount=10**12, balance_before=-(10**12), account_opened_at="0001-01-01", features=ratios)
    quiet = transaction(amount=0.01, balance_before=0, account_opened_at="9999-12-31", features={})
    for body in (loud, quiet):
        verdict = score(client, body)
        assert verdict.degraded == []
        assert verdict.fraud_score is not None
    assert score(client, transaction(amount=10**12)).decision != "APPROVE"
