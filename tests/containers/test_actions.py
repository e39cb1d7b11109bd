"""What follows a verdict, in containers: a freeze and its release, a challenge passed and one failed; who is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local.aws.stack import LocalAws
from tests.containers.installation import EVENTS, objects, score, transaction
from tests.containers.people import create_admin, log_in, mails, text
from tests.harness.card_system import CardSystem
from tests.harness.waiting import eventually

ADMIN = "admin@actions.example"
PATIENT_S = 240.0
"""What is due is looked for each minute, and what the topic did not take at once is swept after one or two."""
CODE = re.compile(r"\b[0-9]{6}\b")


@pytest.fixture
def admin(aws: LocalAws) -> Iterator[httpx.Client]:
    """Somebody who may release accounts."""
    create_admin(aws, ADMIN)
    with log_in(aws, ADMIN) as client:
        yield client


def sample(name: str, **changes: Any) -> dict[str, Any]:
    given = json.loads((EVENTS / name).read_text())
    return transaction(**{key: value for key, value in given.items() if key != "transaction_id"} | changes)


def told_of(client: httpx.Client, **about: str) -> list[str]:
    """Kinds of the events about this that the client has been told of, oldest first."""
    answer = client.get("/events?limit=200")
    assert answer.status_code == 200, answer.text
    return [event["type"] for event in answer.json()["events"] if about.items() <= event["data"].items()]


def test_a_decline_freezes_the_account_until_it_is_released(
    aws: LocalAws, client: httpx.Client, admin: httpx.Client, cards: CardSystem
) -> None:
    account = "container-frozen"
    assert score(client, sample("score_blocked.json", account_id=account)).decision == "DECLINE"

    def status() -> str:
        return str(client.get(f"/accounts/{account}/status").json()["status"])

    eventually(lambda: status() == "blocked", PATIENT_S)
    assert cards.orders("cards.block") == [account]
    refused = score(client, transaction(account_id=account))
    assert (refused.decision, refused.triggered_by) == ("DECLINE", "DENY_LIST")

    released = admin.post(f"/accounts/{account}/release", json={"reason": "Verified by phone."})
    assert released.status_code == 200, released.text
    assert score(client, transaction(account_id=account)).triggered_by != "DENY_LIST"
    eventually(lambda: account not in cards.blocked(), PATIENT_S)
    assert cards.faults == []
    told = ["account.frozen", "account.blocked", "account.released"]
    eventually(lambda: told_of(client, account_id=account) == told, PATIENT_S)
    kinds = set(told)
    eventually(lambda: kinds <= {record["kind"] for record in objects(aws, "AuditBucket")}, PATIENT_S)


@pytest.mark.parametrize(
    ("right", "outcome"), [(True, ("passed", "APPROVE")), (False, ("failed", "DECLINE"))], ids=["passed", "failed"]
)
def test_a_challenge_ends_in_a_final_decision(
    aws: LocalAws, client: httpx.Client, right: bool, outcome: tuple[str, str]
) -> None:
    account = f"container-asked-{outcome[0]}"
    address = f"{account}@customers.example"
    assert client.put(f"/accounts/{account}/contact", json={"email": address}).status_code == 204
    body = sample("score_risky.json", account_id=account)
    verdict = score(client, body)
    assert verdict.decision == "CHALLENGE"
    assert verdict.challenge is not None

    eventually(lambda: any(mail["To"] == address for mail in mails(aws)), PATIENT_S)
    (mail,) = [mail for mail in mails(aws) if mail["To"] == address]
    code = CODE.findall(text(mail))[0]
    typed = code if right else f"{(int(code) + 1) % 1_000_000:06d}"
    facts = {name: body[name] for name in ("account_id", "amount", "currency", "counterparty_id")}
    place = f"/challenges/{verdict.challenge.id}"
    for _ in range(1 if right else 5):
        answer = client.post(f"{place}/verify", json={**facts, "code": typed})
    ended = client.get(place).json()
    assert (ended["status"], ended["decision"]) == outcome, answer.text
    eventually(lambda: told_of(client, challenge_id=verdict.challenge.id) == ["decision.final"], PATIENT_S)
