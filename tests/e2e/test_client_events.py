"""What clients are told, through the whole product: their feeds, and webhooks that somebody else's library verifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.identity import scopes
from assay.identity.scopes import Role
from local.tokens import issuer
from tests.harness import problems, state
from tests.harness.client_events import Receiver, receiving
from tests.harness.process import Process, ServerProcess, forked, free_port
from tests.harness.service import EVENTS, Service
from tests.harness.waiting import eventually

NUMBERS = count(1)


def allowing(options: list[str], log: Any) -> Process:
    return forked([*options, "--allow-local-webhooks"], log)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that sends webhooks to this machine."""
    process = ServerProcess(tmp_path_factory.mktemp("client-events") / "data", allowing)
    process.start()
    process.wait_until_ready()
    yield process.service
    process.close()


@pytest.fixture
def name() -> str:
    """A client nobody else has spoken as."""
    return f"client-{next(NUMBERS)}"


@pytest.fixture
def client(server: Service, name: str) -> Iterator[httpx.Client]:
    with server.client(name) as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def decline(client: httpx.Client) -> str:
    """A payment whose decline freezes its account; the account."""
    n = next(NUMBERS)
    account = f"told-acct-{n}"
    body = json.loads((EVENTS / "score_blocked.json").read_text())
    own = {"transaction_id": f"told-{n}", "account_id": account, "device_id": f"told-farm-{n}"}
    verdict = client.post("/score", json={**body, **own}).json()
    assert verdict["decision"] == "DECLINE", verdict
    return account


def subscribe(client: httpx.Client, url: str, events: Any = "all") -> dict[str, str]:
    answer = client.post("/webhooks", json={"url": url, "events": events})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, str] = answer.json()
    return made


def feed(client: httpx.Client, after: int = 0) -> list[dict[str, Any]]:
    answer = client.get("/events", params={"after": after})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert not problems.faults(answer.status_code, answer.headers, answer.content), answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:assay:problem:")


def test_a_freeze_is_pushed_signed_and_is_in_the_feed_byte_for_byte(client: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    account = decline(client)
    eventually(lambda: len(receiver.requests) == 2)
    for headers, body in receiver.requests:
        said = Webhook(made["secret"]).verify(body, headers)
        assert (said["id"], said["data"]["account_id"]) == (headers["webhook-id"], account)
    pushed = sorted((json.loads(body) for _, body in receiver.requests), key=lambda said: said["sequence"])
    assert [said["type"] for said in pushed] == ["account.frozen", "account.blocked"]
    assert pushed[0]["data"].keys() == {"account_id", "transaction_id", "version", "until", "reasons"}
    answer = client.get("/events")
    assert answer.json() == {"events": pushed, "next": 2}
    assert all(body in answer.content for _, body in receiver.requests)
    assert client.get("/events", params={"after": 2}).json() == {"events": [], "next": 2}
    (shown,) = client.get("/webhooks").json()["webhooks"]
    assert (shown["id"], shown["url"], shown["events"], shown["status"]) == (made["id"], receiver.url, "all", "active")
    assert shown["last_success_at"] is not None
    assert made["secret"] not in client.get("/webhooks").text


def test_who_was_down_is_tried_again_and_reads_what_it_missed(client: httpx.Client) -> None:
    port = free_port()
    subscribe(client, f"http://127.0.0.1:{port}/hooks", ["account.frozen"])
    account = decline(client)
    eventually(lambda: client.get("/webhooks").json()["webhooks"][0]["last_failure_at"] is not None)
    missed = feed(client)
    assert missed[0]["data"]["account_id"] == account
    with receiving(port) as receiver:
        eventually(lambda: receiver.ids() == [missed[0]["id"]])
    eventually(lambda: client.get("/webhooks").json()["webhooks"][0]["last_success_at"] is not None)


def test_a_release_is_told_but_not_by_whom_nor_why(server: Service, client: httpx.Client) -> None:
    account = decline(client)
    eventually(lambda: len(feed(client)) == 2)
    ring = FolderSigningKeys(server.data / "keys").read()
    token = issuer().mint(ring, "usr_eva", (scopes.RELEASE,), role=Role.ANALYST)
    reason = {"reason": "The customer has called."}
    answer = client.post(f"/accounts/{account}/release", json=reason, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    eventually(lambda: len(feed(client, 2)) == 1)
    (released,) = feed(client, 2)
    assert (released["type"], released["sequence"]) == ("account.released", 3)
    assert released["data"].keys() == {"account_id", "transaction_id", "version"}
    assert "usr_eva" not in json.dumps(released)


def test_a_final_decision_is_told(client: httpx.Client) -> None:
    n = next(NUMBERS)
    body = json.loads((EVENTS / "score_risky.json").read_text())
    own = {"transaction_id": f"told-{n}", "account_id": f"told-acct-{n}", "device_id": f"told-phone-{n}"}
    verdict = client.post("/score", json={**body, **own}).json()
    assert verdict["decision"] == "CHALLENGE"
    challenge = verdict["challenge"]["id"]
    facts = {key: body[key] for key in ("amount", "currency", "counterparty_id")} | {"account_id": own["account_id"]}
    eventually(lambda: client.get(f"/challenges/{challenge}").status_code == 200)
    for guess in range(100_000, 100_006):
        client.post(f"/challenges/{challenge}/verify", json={**facts, "code": str(guess)})
    eventually(lambda: len(feed(client)) == 1)
    (final,) = feed(client)
    assert final["type"] == "decision.final"
    assert (final["data"]["challenge_id"], final["data"]["transaction_id"]) == (challenge, own["transaction_id"])
    assert final["data"].keys() == {"challenge_id", "transaction_id", "decision", "reason"}


def test_others_see_nothing_of_it(server: Service, client: httpx.Client, name: str, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url)
    decline(client)
    eventually(lambda: len(feed(client)) == 2)
    with server.client("thief") as thief:
        assert feed(thief) == []
        assert thief.get("/events", params={"client_id": name}).json()["events"] == []
        assert thief.get("/webhooks").json() == {"webhooks": []}
        assert problem(thief.delete(f"/webhooks/{made['id']}")) == (404, "unknown_webhook")
        assert problem(thief.post(f"/webhooks/{made['id']}/secret")) == (404, "unknown_webhook")
        assert thief.delete(f"/webhooks/{made['id']}").content == thief.delete("/webhooks/whk_0").content
    ring = FolderSigningKeys(server.data / "keys").read()
    viewer = {"Authorization": f"Bearer {issuer().mint(ring, 'usr_v', (scopes.EVENTS_READ,), role=Role.VIEWER)}"}
    assert len(client.get("/events", params={"client_id": name}, headers=viewer).json()["events"]) == 2
    assert problem(client.get("/events", headers=viewer)) == (422, "validation")
    assert problem(client.get("/webhooks", headers=viewer)) == (403, "scope")


def test_what_is_removed_gets_nothing_more(client: httpx.Client, receiver: Receiver) -> None:
    gone, stays = subscribe(client, receiver.url + "/gone"), subscribe(client, receiver.url)
    assert client.delete(f"/webhooks/{gone['id']}").status_code == 204
    assert problem(client.delete(f"/webhooks/{gone['id']}")) == (404, "unknown_webhook")
    decline(client)
    eventually(lambda: len(receiver.requests) == 2)
    for headers, body in receiver.requests:
        Webhook(stays["secret"]).verify(body, headers)


def test_after_a_rotation_both_secrets_verify(client: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url, ["account.frozen"])
    answer = client.post(f"/webhooks/{made['id']}/secret")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    decline(client)
    eventually(lambda: len(receiver.requests) == 1)
    ((headers, body),) = receiver.requests
    for secret in (made["secret"], answer.json()["secret"]):
        Webhook(secret).verify(body, headers)
    for _ in range(2):
        assert client.post(f"/webhooks/{made['id']}/secret").status_code == 200
    assert problem(client.post(f"/webhooks/{made['id']}/secret")) == (409, "too_many_secrets")


def test_who_answers_gone_is_asked_no_more(server: Service, client: httpx.Client, receiver: Receiver) -> None:
    made = subscribe(client, receiver.url, ["account.frozen"])
    receiver.statuses = [410]
    decline(client)
    eventually(lambda: client.get("/webhooks").json()["webhooks"][0]["status"] == "disabled")
    assert client.get("/webhooks").json()["webhooks"][0]["reason"] == "gone"
    decline(client)
    eventually(lambda: len(feed(client)) == 4)
    state.drained(server.data)
    assert len(receiver.requests) == 1
    rows = state.query(server.data, "SELECT body FROM outbox WHERE kind = 'webhook.disabled'")
    told = [json.loads(body) for (body,) in rows]
    assert [event["data"]["reason"] for event in told if event["data"]["webhook_id"] == made["id"]] == ["gone"]


def test_a_client_has_five_webhooks_at_most(client: httpx.Client, receiver: Receiver) -> None:
    for n in range(5):
        subscribe(client, f"{receiver.url}/{n}")
    answer = client.post("/webhooks", json={"url": receiver.url, "events": "all"})
    assert problem(answer) == (409, "too_many_webhooks")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no url": ({"events": "all"}, "validation"),
    "no events": ({"url": "https://shop.example/"}, "validation"),
    "empty": ({"url": "https://shop.example/", "events": []}, "validation"),
    "another kind": ({"url": "https://shop.example/", "events": ["user.logged_in"]}, "validation"),
    "twice": ({"url": "https://shop.example/", "events": ["account.frozen", "account.frozen"]}, "validation"),
    "some": ({"url": "https://shop.example/", "events": "some"}, "validation"),
    "unknown field": ({"url": "https://shop.example/", "events": "all", "secret": "mine"}, "validation"),
    "not a url": ({"url": "shop example", "events": "all"}, "validation"),
    "another scheme": ({"url": "ftp://shop.example/", "events": "all"}, "validation"),
    "a password": ({"url": "https://me:secret@shop.example/", "events": "all"}, "validation"),
    "the metadata service": ({"url": "http://169.254.169.254/latest/", "events": "all"}, "validation"),
    "an odd address": ({"url": "http://0x7f.1/", "events": "all"}, "validation"),
    "a card number": ({"url": "https://shop.example/4111111111111111", "events": "all"}, "card_number"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_webhook_is_refused(client: httpx.Client, wrong: str) -> None:
    body, code = WRONG[wrong]
    answer = client.post("/webhooks", json=body)
    assert problem(answer) == (422, code)
    assert "4111" not in answer.text and "secret@" not in answer.text
    assert client.get("/webhooks").json() == {"webhooks": []}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=1.5", f"after={2**53}", "limit=0", "limit=201"])
def test_a_wrong_place_in_the_feed_is_refused(client: httpx.Client, query: str) -> None:
    assert problem(client.get(f"/events?{query}")) == (422, "validation")
