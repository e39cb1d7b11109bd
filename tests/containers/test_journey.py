"""From the first admin to a proven record: users, tokens, a verdict, its alert, its audit record."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from local.aws.stack import LocalAws
from tests.containers.installation import EVENTS, objects, score, transaction
from tests.containers.people import assay, client_of, create_admin, log_in, mails, register_client, text
from tests.harness import problems
from tests.harness.waiting import eventually

ADMIN = "admin@journey.example"
CLIENT = "journey-shop"
SWEPT_S = 240.0
"""What the topic did not take at once is published by the sweeper, a minute or two later."""
BLOCKED = json.loads((EVENTS / "score_blocked.json").read_text())


@pytest.fixture(scope="module")
def secret(aws: LocalAws) -> str:
    """Of the service client, which the first admin has registered."""
    create_admin(aws, ADMIN)
    with log_in(aws, ADMIN) as admin:
        return register_client(admin, CLIENT, ["score:write"])


@pytest.fixture
def admin(aws: LocalAws, secret: str) -> Iterator[httpx.Client]:
    """A client with an operator's token. Tokens are good for five minutes, so each test gets its own."""
    with log_in(aws, ADMIN) as client:
        yield client


@pytest.fixture
def shop(aws: LocalAws, secret: str) -> Iterator[httpx.Client]:
    """A client with the service client's token."""
    with client_of(aws, CLIENT, secret) as client:
        yield client


def test_a_verdict_given_for_a_token_is_in_the_audit_log(
    aws: LocalAws, admin: httpx.Client, shop: httpx.Client
) -> None:
    body = transaction()
    verdict = score(shop, body)
    assert shop.get(f"/decisions/{body['transaction_id']}").status_code == 403  # it got no scope but the one

    place = f"/audit/records/{body['transaction_id']}?client_id={CLIENT}"
    eventually(lambda: admin.get(place).status_code == 200, SWEPT_S)
    record = admin.get(place).json()
    assert record["event"]["verdict"] == verdict.model_dump(mode="json")
    assert record["event"]["transaction"] == body
    assert admin.get("/audit/head").json()["sequence"] >= record["sequence"]


def test_the_chain_in_the_bucket_is_proven(aws: LocalAws, admin: httpx.Client, shop: httpx.Client) -> None:
    body = transaction()
    score(shop, body)
    place = f"/audit/records/{body['transaction_id']}?client_id={CLIENT}"
    eventually(lambda: admin.get(place).status_code == 200, SWEPT_S)
    bucket, table = aws.resources["AuditBucket"].ref, aws.resources["AuditAnchorTable"].ref
    proof = json.loads(assay(aws, "audit", "verify", f"s3://{bucket}", "--anchor-table", table, "--json"))
    assert proof["whole"]
    assert proof["records"] >= 3  # the admin, the login, the service client ...


def test_what_people_do_is_in_the_audit_log(aws: LocalAws, shop: httpx.Client) -> None:
    wanted = {"user.registered", "user.logged_in", "client.created"}
    eventually(lambda: wanted <= {record["kind"] for record in objects(aws, "AuditBucket")}, SWEPT_S)


def test_a_declined_payment_gives_an_alert_and_a_mail(aws: LocalAws, admin: httpx.Client, shop: httpx.Client) -> None:
    given = {name: value for name, value in BLOCKED.items() if name != "transaction_id"}
    body = transaction(**given)
    assert score(shop, body).decision == "DECLINE"
    id_ = body["transaction_id"]

    def sent() -> list[dict[str, str]]:
        alerts = admin.get("/alerts?status=sent").json()["alerts"]
        return [alert for alert in alerts if alert["transaction_id"] == id_]

    eventually(lambda: bool(sent()), SWEPT_S)
    (alert,) = sent()
    assert (alert["client_id"], alert["decision"]) == (CLIENT, "DECLINE")
    (mail,) = [mail for mail in mails(aws) if id_ in text(mail)]
    assert mail["To"] == "duty@example.org"
    assert f"{aws.api_url}/decisions/{id_}" in text(mail)


def test_an_address_is_looked_up_by_its_stage(admin: httpx.Client) -> None:
    assert admin.get("/geoip/8.8.8.8").json()["country"] == "US"
    assert admin.get("/geoip/192.168.0.1").json()["known"] is False


def test_a_token_ends_with_its_session(aws: LocalAws, admin: httpx.Client) -> None:
    with log_in(aws, ADMIN) as person:
        assert person.get("/users/me").json()["email"] == ADMIN
        assert person.post("/auth/logout").status_code == 204
        for path in ("/users/me", "/alerts", "/audit/head", "/geoip/8.8.8.8"):
            eventually(lambda path=path: person.get(path).status_code == 401)  # type: ignore[misc]
    assert admin.get("/users/me").status_code == 200


def test_a_wrong_secret_and_a_wrong_password_are_refused(aws: LocalAws, shop: httpx.Client) -> None:
    token = httpx.post(
        f"{aws.api_url}/oauth/token", data={"grant_type": "client_credentials"}, auth=(CLIENT, "wrong"), timeout=60
    )
    assert (token.status_code, token.json()["error"]) == (401, "invalid_client")
    login = httpx.post(f"{aws.api_url}/auth/login", json={"email": ADMIN, "password": "wrong"}, timeout=60)
    assert not problems.faults(login.status_code, login.headers, login.content, statuses=[401])
