"""Challenges over HTTP, with the code read from the mailbox folder, and everything that must not get through."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.challenges import totp
from assay.features.windows import SECOND
from assay.identity import scopes
from local.tokens import issuer
from tests.harness import problems, state
from tests.harness.challenges import other, secret_of
from tests.harness.service import EVENTS, JSON, TOKEN_LIFE_S, Service, running_service
from tests.harness.waiting import eventually

NUMBERS = count(1)
SAMPLE = json.loads((EVENTS / "score_risky.json").read_text())
OTHERWISE = {"account_id": "acct-x", "amount": 24.91, "currency": "USD", "counterparty_id": "bakery-13"}
WRONG_SHAPES: dict[str, dict[str, Any]] = {
    "code": {"code": "12345"},
    "code too long": {"code": "1234567"},
    "code of letters": {"code": "12345a"},
    "code in other digits": {"code": "١٢٣٤٥٦"},
    "code with a line end": {"code": "123456\n"},
    "code as a number": {"code": 123456},
    "no code": {"code": None},
    "amount as text": {"amount": "24.9"},
    "amount of nothing": {"amount": 0},
    "currency": {"currency": "EURO"},
    "account": {"account_id": "a b"},
    "unknown field": {"status": "passed"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One of its own: these tests read the outbox, of which a server with more to do deletes what is done."""
    with running_service(tmp_path_factory.mktemp("challenges") / "data") as service:
        yield service


@pytest.fixture(scope="module")
def client(server: Service) -> Iterator[httpx.Client]:
    """A client with every scope."""
    with server.client() as found:
        yield found


def challenged(client: httpx.Client, **changes: Any) -> tuple[dict[str, Any], str]:
    """A transaction that needs a step-up, a day after the one before (a burst would be declined), and its challenge."""
    n = next(NUMBERS)
    own = {
        "transaction_id": f"stepup-{n}",
        "account_id": f"step-acct-{n}",
        "device_id": f"step-phone-{n}",
        "ip_address": f"2001:db8:5::{n:x}",
        "counterparty_id": f"step-payee-{n}",
        "occurred_at": (datetime.now(UTC) - timedelta(days=100 - n)).isoformat(),
    }
    body = {**SAMPLE, **own, **changes}
    answer = client.post("/score", json=body)
    assert answer.status_code == 200, answer.text
    verdict = answer.json()
    assert verdict["decision"] == "CHALLENGE", verdict
    challenge: str = verdict["challenge"]["id"]
    assert client.post("/score", json=body).json()["challenge"]["id"] == challenge
    return body, challenge


def codes(server: Service, account: str) -> list[str]:
    """Those sent to the account, oldest first."""
    files = sorted((server.data / "mailbox" / "codes").glob(f"{account}.*.txt"))
    return [file.read_text().partition("Code: ")[2][:6] for file in files]


def delivered(client: httpx.Client, challenge: str, delivery: str = "sent") -> dict[str, Any]:
    """The challenge once its code was sent."""
    found: dict[str, Any] = {}

    def is_so() -> bool:
        answer = client.get(f"/challenges/{challenge}")
        found.update(answer.json())
        return answer.status_code == 200 and found["delivery"] == delivery

    eventually(is_so)
    return found


def verification(body: dict[str, Any], typed: str, **changes: Any) -> dict[str, Any]:
    """The request's body."""
    names = ("account_id", "amount", "currency", "counterparty_id")
    return {**{name: body[name] for name in names}, "code": typed, **changes}


def verify(client: httpx.Client, challenge: str, body: dict[str, Any], typed: str, **changes: Any) -> httpx.Response:
    return client.post(f"/challenges/{challenge}/verify", json=verification(body, typed, **changes))


def problem(answer: httpx.Response) -> tuple[int, str]:
    """ChallengeStatus and code of a refusal."""
    assert not problems.faults(answer.status_code, answer.headers, answer.content), answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:assay:problem:")


def events(server: Service, challenge: str) -> list[dict[str, Any]]:
    """All about the challenge, from the outbox."""
    rows = state.query(server.data, "SELECT body FROM outbox WHERE kind <> 'transaction.scored' ORDER BY sequence")
    found = [json.loads(row[0]) for row in rows]
    return [event for event in found if event["data"].get("challenge_id") == challenge]


def finals(server: Service, challenge: str) -> list[tuple[str, str, str]]:
    """The final decisions: client, decision, reason."""
    found = [event for event in events(server, challenge) if event["event"] == "decision.final"]
    return [(event["client_id"], event["data"]["decision"], event["data"]["reason"]) for event in found]


def shown(secret: bytes, seconds: float = 0) -> str:
    """What the app shows so long from now."""
    return totp.code_at(secret, totp.step_of(int((time.time() + seconds) * SECOND)))


def test_a_passed_challenge(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    shown = delivered(client, challenge)
    assert (shown["status"], shown["decision"], shown["tries_left"], shown["method"]) == ("pending", None, 5, "code")
    (code,) = codes(server, body["account_id"])
    answer = verify(client, challenge, body, code)
    assert (answer.status_code, answer.json()) == (200, {"status": "passed", "decision": "APPROVE"})
    assert problem(verify(client, challenge, body, code)) == (409, "already_used")
    shown = client.get(f"/challenges/{challenge}").json()
    assert (shown["status"], shown["decision"], shown["transaction_id"]) == (
        "passed",
        "APPROVE",
        body["transaction_id"],
    )
    assert finals(server, challenge) == [("shop", "APPROVE", "step_up_passed")]
    about = f"/feedback/{body['transaction_id']}"
    state.eventually(lambda: client.get(about).status_code, lambda status: status == 200, "the step-up's outcome")
    evidence = client.get(about).json()
    assert (evidence["label"], evidence["opinions"], evidence["step_up"]["outcome"]) == (None, [], "passed")
    kinds = [event["event"] for event in events(server, challenge)]
    assert kinds == ["challenge.sent", "challenge.passed", "decision.final"]


def test_a_failed_challenge(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    (code,) = codes(server, body["account_id"])
    for left in (4, 3, 2, 1):
        answer = verify(client, challenge, body, other(code))
        assert problem(answer) == (422, "wrong_code")
        assert answer.json()["tries_left"] == left
        assert client.get(f"/challenges/{challenge}").json()["tries_left"] == left
    answer = verify(client, challenge, body, other(code))
    assert (answer.status_code, answer.json()) == (200, {"status": "failed", "decision": "DECLINE"})
    assert problem(verify(client, challenge, body, code)) == (409, "failed")
    assert problem(client.post(f"/challenges/{challenge}/resend")) == (409, "failed")
    assert finals(server, challenge) == [("shop", "DECLINE", "step_up_failed")]


def test_an_expired_challenge(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    (code,) = codes(server, body["account_id"])
    _end(server.data, challenge)
    eventually(lambda: bool(finals(server, challenge)))
    assert problem(verify(client, challenge, body, code)) == (409, "expired")
    assert client.get(f"/challenges/{challenge}").json()["decision"] == "DECLINE"
    assert finals(server, challenge) == [("shop", "DECLINE", "step_up_expired")]


@pytest.mark.parametrize("field", OTHERWISE)
def test_the_right_code_for_something_else(server: Service, client: httpx.Client, field: str) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    (code,) = codes(server, body["account_id"])
    for changes in ({field: OTHERWISE[field]}, {"counterparty_id": None}):
        assert problem(verify(client, challenge, body, code, **changes)) == (422, "wrong_code")
    assert client.get(f"/challenges/{challenge}").json()["tries_left"] == 3
    assert verify(client, challenge, body, code).status_code == 200


def test_somebody_elses_challenge(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    (code,) = codes(server, body["account_id"])
    mine, _ = challenged(client)
    with server.client("thief") as thief:
        stranger = [
            thief.get(f"/challenges/{challenge}"),
            verify(thief, challenge, body, code),
            thief.post(f"/challenges/{challenge}/resend"),
        ]
        unknown = [
            thief.get("/challenges/chl_00"),
            verify(thief, "chl_00", body, code),
            thief.post("/challenges/chl_00/resend"),
        ]
    assert [problem(answer) for answer in stranger] == [(404, "unknown_challenge")] * 3
    assert [answer.content for answer in stranger] == [answer.content for answer in unknown]
    other_account = {"account_id": mine["account_id"]}
    assert problem(verify(client, challenge, body, code, **other_account)) == (422, "wrong_code")
    assert client.get(f"/challenges/{challenge}").json()["tries_left"] == 4
    assert len(codes(server, body["account_id"])) == 1


@pytest.mark.parametrize("name", ["x" * 3_000, "chl%00", "chl%23C", "%F0%9F%98%80", "%ED%A0%80", "'; --"])
def test_a_name_that_no_challenge_has(client: httpx.Client, name: str) -> None:
    assert problem(client.get(f"/challenges/{name}")) == (404, "unknown_challenge")
    assert problem(client.post(f"/challenges/{name}/resend")) == (404, "unknown_challenge")


def test_the_code_of_another_challenge(server: Service, client: httpx.Client) -> None:
    first, one = challenged(client)
    second, two = challenged(client)
    delivered(client, one)
    delivered(client, two)
    (code,), (own,) = codes(server, first["account_id"]), codes(server, second["account_id"])
    if code != own:
        assert problem(verify(client, two, second, code)) == (422, "wrong_code")
    assert verify(client, two, second, own).status_code == 200


def test_twenty_at_once_with_the_right_code(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    (code,) = codes(server, body["account_id"])
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: verify(client, challenge, body, code), range(20)))
    won = [answer for answer in answers if answer.status_code == 200]
    assert [answer.json() for answer in won] == [{"status": "passed", "decision": "APPROVE"}]
    assert {problem(answer) for answer in answers if answer not in won} == {(409, "already_used")}
    assert finals(server, challenge) == [("shop", "APPROVE", "step_up_passed")]


def test_sixty_guesses_at_once(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    (code,) = codes(server, body["account_id"])
    guesses = [f"{(int(code) + 1 + n) % 1_000_000:06d}" for n in range(60)]
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda guess: verify(client, challenge, body, guess), guesses))
    ends = Counter(answer.status_code for answer in answers)
    assert ends == {422: 4, 200: 1, 409: 55}
    assert sorted(answer.json()["tries_left"] for answer in answers if answer.status_code == 422) == [1, 2, 3, 4]
    assert finals(server, challenge) == [("shop", "DECLINE", "step_up_failed")]


def test_resends_are_limited_and_void_the_code_before(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    for _ in range(2):
        answer = client.post(f"/challenges/{challenge}/resend")
        assert (answer.status_code, answer.json()["delivery"]) == (200, "sent")
    answer = client.post(f"/challenges/{challenge}/resend")
    assert problem(answer) == (429, "too_many_sends")
    assert 0 < int(answer.headers["retry-after"]) <= 600
    sent = codes(server, body["account_id"])
    assert len(sent) == 3
    _, second = challenged(client, account_id=body["account_id"])
    assert delivered(client, second, "limited")["status"] == "pending"
    assert len(codes(server, body["account_id"])) == 3
    if sent[0] != sent[2]:
        assert problem(verify(client, challenge, body, sent[0])) == (422, "wrong_code")
    assert verify(client, challenge, body, sent[2]).status_code == 200


@pytest.mark.parametrize("shape", WRONG_SHAPES)
def test_a_wrong_shape_is_no_try(server: Service, client: httpx.Client, shape: str) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    answer = verify(client, challenge, body, "000000", **WRONG_SHAPES[shape])
    assert problem(answer) == (422, "validation")
    assert client.get(f"/challenges/{challenge}").json()["tries_left"] == 5


def test_an_authenticator_app(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    account = body["account_id"]
    answer = client.post(f"/accounts/{account}/totp")
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    secret = secret_of(answer.json()["uri"])
    confirm = f"/accounts/{account}/totp/confirm"
    body, challenge = challenged(client, account_id=account)
    assert delivered(client, challenge)["method"] == "code", "nobody has shown yet that the app works"
    for wrong in ({}, {"code": 123456}, {"code": "12345"}, {"code": "123456", "account_id": account}):
        assert problem(client.post(confirm, json=wrong)) == (422, "validation")
    assert problem(client.post(confirm, json={"code": shown(secret, -600)})) == (422, "wrong_code")
    with server.client("other") as stranger:
        assert problem(stranger.post(confirm, json={"code": shown(secret)})) == (404, "not_enrolled")
    assert client.post(confirm, json={"code": shown(secret)}).status_code == 204
    assert problem(client.post(confirm, json={"code": shown(secret)})) == (409, "enrolled")
    assert problem(client.post(f"/accounts/{account}/totp")) == (409, "enrolled")
    body, challenge = challenged(client, account_id=account)
    assert delivered(client, challenge, "not_needed")["method"] == "totp"
    assert problem(client.post(f"/challenges/{challenge}/resend")) == (409, "nothing_to_send")
    code = shown(secret, totp.STEP_S)  # the step before is taken
    assert problem(verify(client, challenge, body, code, amount=1)) == (422, "wrong_code")
    assert verify(client, challenge, body, code).json() == {"status": "passed", "decision": "APPROVE"}
    body, challenge = challenged(client, account_id=account)
    delivered(client, challenge, "not_needed")
    assert problem(verify(client, challenge, body, code)) == (422, "wrong_code")
    with server.client("other") as stranger:
        assert problem(stranger.delete(f"/accounts/{account}/totp")) == (404, "not_enrolled")
    assert client.delete(f"/accounts/{account}/totp").status_code == 204
    assert problem(client.delete(f"/accounts/{account}/totp")) == (404, "not_enrolled")
    assert problem(client.post(confirm, json={"code": code})) == (404, "not_enrolled")
    kept = state.query(server.data, "SELECT body FROM outbox WHERE kind LIKE 'totp.%'")
    assert len(kept) == 3
    assert not [row for row in kept if base64.b32encode(secret).rstrip(b"=") in row[0]]


def test_a_contact_is_kept_encrypted(server: Service, client: httpx.Client) -> None:
    path = "/accounts/acct-contact/contact"
    # 13 digits that begin with a 4 and pass Luhn, as a tenth of the country's mobile numbers do.
    assert client.put(path, json={"email": "ama@example.org", "phone": "+4915112345678"}).status_code == 204
    answer = client.put(path, json={"email": "4111111111111111@example.org", "phone": "+4915112345678"})
    assert problem(answer) == (422, "card_number")
    for refused in ({}, {"email": "ama"}, {"phone": "0151"}, {"phone": None}, {"sms": "+123"}):
        assert problem(client.put(path, json=refused)) == (422, "validation")
    assert problem(client.put("/accounts/a%20b/contact", json={"email": "a@example.org"}))[0] == 422
    answer = client.put("/accounts/4111111111111111/contact", json={"email": "a@example.org"})
    assert not problems.faults(
        answer.status_code, answer.headers, answer.content, ["account_id"], ["4111111111111111"], [422]
    )
    (sealed,) = state.query(server.data, "SELECT sealed FROM contacts WHERE account_id = 'acct-contact'")[0]
    assert b"ama" not in sealed
    with server.client("other") as stranger:
        assert problem(stranger.delete(path)) == (404, "no_contact")
    assert client.delete(path).status_code == 204
    assert problem(client.delete(path)) == (404, "no_contact")
    assert not state.query(server.data, "SELECT sealed FROM contacts WHERE account_id = 'acct-contact'")
    told = state.query(server.data, "SELECT body FROM outbox WHERE kind LIKE 'contact.%'")
    assert len(told) == 2
    assert not [row for row in told if b"example.org" in row[0] or b"15112345678" in row[0]]


def test_scopes_and_persons(server: Service, client: httpx.Client) -> None:
    body, challenge = challenged(client)
    delivered(client, challenge)
    with server.client(scopes=(scopes.CHALLENGES_READ,)) as reader:
        assert reader.get(f"/challenges/{challenge}").status_code == 200
        assert verify(reader, challenge, body, "000000").status_code == 403
        assert reader.post(f"/challenges/{challenge}/resend").status_code == 403
        assert reader.put("/accounts/a/contact", json={"email": "a@example.org"}).status_code == 403
        assert reader.post("/accounts/a/totp").status_code == 403
        assert reader.delete("/accounts/a/totp").status_code == 403
        assert reader.post("/accounts/a/totp/confirm", json={"code": "000000"}).status_code == 403
        assert reader.delete("/accounts/a/contact").status_code == 403
    with server.client(scopes=(scopes.CHALLENGES,)) as writer:
        assert writer.get(f"/challenges/{challenge}").status_code == 403
    with _person(server) as viewer:
        assert viewer.get(f"/challenges/{challenge}").json()["account_id"] == body["account_id"]
        assert verify(viewer, challenge, body, "000000").status_code == 403


def test_no_code_is_told_or_kept(server: Service, client: httpx.Client) -> None:
    """Not by what the server logs, keeps or answers; the mailbox folder is the customer's."""
    body, challenge = challenged(client)
    delivered(client, challenge)
    answers = [client.post(f"/challenges/{challenge}/resend"), client.get(f"/challenges/{challenge}")]
    sent = codes(server, body["account_id"])
    wrong = other(sent[-1])
    answers += [verify(client, challenge, body, wrong), verify(client, challenge, body, sent[-1])]
    answers.append(client.get(f"/decisions/{body['transaction_id']}"))
    texts = [answer.text for answer in answers] + [server.log.read_text()]
    texts += [json.dumps(event) for event in events(server, challenge)]
    for row in state.query(server.data, "SELECT * FROM challenges WHERE id = ?", challenge):
        texts += [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row]
    assert not [text for text in texts for code in (*sent, wrong) if _stands_in(text, code)]


def _stands_in(text: str, code: str) -> bool:
    """By itself: a moment in microseconds may hold any six digits."""
    return code in "".join(character if character.isalnum() else " " for character in text).split()


def _end(data: Path, challenge: str) -> None:
    """The challenge's five minutes are over."""
    connection = sqlite3.connect(data / "assay.db", timeout=10)
    with connection:
        connection.execute("UPDATE challenges SET expires_at = 1, version = version + 1 WHERE id = ?", (challenge,))
    connection.close()


def _person(server: Service) -> httpx.Client:
    """A viewer who has logged in."""
    ring = FolderSigningKeys(server.data / "keys").read()
    token = issuer().mint(ring, "usr_viewer", (scopes.CHALLENGES_READ,), TOKEN_LIFE_S, "ses_viewer", "viewer")
    return httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {token}", **JSON}, timeout=30)
