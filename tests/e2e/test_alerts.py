"""Alerts through the running server: a mail in the mailbox, a call of a webhook, the list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner

from local import tokens
from local.cli import app
from tests.harness.alerts import eml
from tests.harness.problems import faults
from tests.harness.service import EVENTS, Service, running_service
from tests.harness.waiting import eventually

BLOCKED = json.loads((EVENTS / "score_blocked.json").read_text())
SECRET = "whsec_" + "QUJD" * 12


def declined(client: httpx.Client, transaction_id: str, **changes: Any) -> dict[str, Any]:
    """The verdict."""
    answer = client.post("/score", json={**BLOCKED, "transaction_id": transaction_id, **changes})
    assert (answer.status_code, answer.json()["decision"]) == (200, "DECLINE"), answer.text
    return answer.json()


def listed(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/alerts", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["alerts"]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server of its own: who is told depends on what was told before."""
    with running_service(tmp_path_factory.mktemp("bank") / "data") as service:
        yield service


def test_what_is_declined_is_in_the_mailbox_and_in_the_list(bank: Service) -> None:
    with bank.client() as client:
        verdict = declined(client, "alert-1")
        eventually(lambda: [item["deliveries"][0]["status"] for item in listed(client)] == ["sent"])
        (item,) = listed(client)
        assert (item["transaction_id"], item["client_id"], item["decision"]) == ("alert-1", "shop", "DECLINE")
        assert (item["route"], item["event"]) == ("declined", "transaction.scored")
        delivery = {"channel": "mail", "status": "sent", "attempts": 1, "due_at": None, "error": None}
        assert item["deliveries"] == [{**delivery, "is_digest": False}]
        (mail,) = (message_from_bytes(content, policy=policy.default) for content in eml(bank.data / "mailbox"))
        assert (mail["To"], mail["Subject"]) == ("duty@localhost", "Assay: DECLINE (declined)")
        text = mail.get_body(("plain",)).get_content()
        assert verdict["reasons"][0]["analyst_text"][:60] in text
        link = next(line for line in text.splitlines() if line.startswith(bank.address))
        assert client.get(link).json() == verdict
        assert BLOCKED["account_id"] not in text


def test_a_client_sees_its_own_and_a_person_sees_all(bank: Service) -> None:
    with bank.client() as shop, bank.client("other") as other:
        declined(other, "alert-other")
        eventually(lambda: len(listed(other)) == 1)
        assert {item["client_id"] for item in listed(shop)} <= {"shop"}
        assert {item["client_id"] for item in listed(other)} == {"other"}
    token = tokens.issuer().mint(
        tokens.FolderSigningKeys(bank.data / "keys").read(), "user-1", ("alerts:read",), 60, role="viewer"
    )
    with httpx.Client(base_url=bank.address, headers={"Authorization": f"Bearer {token}"}) as person:
        assert "other" in {item["client_id"] for item in listed(person)}


def test_an_approved_transaction_alerts_nobody(bank: Service) -> None:
    with bank.client("quiet") as client:
        genuine = json.loads((EVENTS / "score_genuine.json").read_text())
        assert client.post("/score", json=genuine).json()["decision"] == "APPROVE"
        declined(client, "alert-after")  # events come in order
        eventually(lambda: len(listed(client)) == 1)
        assert listed(client)[0]["transaction_id"] == "alert-after"


def test_pages(bank: Service) -> None:
    with bank.client("pages") as client:
        for n in range(7):
            declined(client, f"page-{n}")
        eventually(lambda: len(listed(client)) == 7)
        ids, after = [], {}
        while True:
            page = client.get("/alerts", params={"limit": 3, **after}).json()
            ids += [item["id"] for item in page["alerts"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert ids == [item["id"] for item in listed(client)]
        assert len(listed(client, status="sent")) + len(listed(client, status="pending")) == 7
        assert listed(client, route="other") == listed(client, status="dead") == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "after=x", "after=1.alt_x", "route=Not a name", "status=lost", "after="],
)
def test_a_wrong_question_is_refused_and_not_repeated(bank: Service, query: str) -> None:
    name, _, value = query.partition("=")
    with bank.client() as client:
        answer = client.get(f"/alerts?{query}")
    secrets = [value] if len(value) > 3 else []
    assert faults(answer.status_code, answer.headers, answer.content, [name], secrets, statuses=(422,)) == []


def test_the_route_is_closed(bank: Service) -> None:
    assert httpx.get(f"{bank.address}/alerts").status_code == 401
    with bank.client(scopes=("score:write", "decisions:read")) as client:
        assert client.get("/alerts").status_code == 403
    with bank.client() as client:
        assert client.post("/alerts").status_code == 405


@contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """The URL of an HTTP server, and the requests it got; it answers with the statuses, then with 204."""
    left, got = list(statuses), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(left.pop(0) if left else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_webhooks_events_and_redrive_by_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIEM_SECRET", SECRET)
    data = tmp_path / "data"
    data.mkdir()
    with receiver(410) as (url, got):
        (data / "alerts.yaml").write_text(f"""
allow_local_webhooks: true
webhooks: {{siem: {{url: "{url}", secrets: [env:SIEM_SECRET]}}}}
routes: [{{name: declined, when: [{{decisions: [DECLINE]}}], webhooks: [siem]}}]
""")
        with running_service(data) as service, service.client() as client:
            declined(client, "hook-1")
            eventually(lambda: len(listed(client, status="dead")) == 1)
            (delivery,) = listed(client)[0]["deliveries"]
            assert (delivery["channel"], delivery["error"]) == ("siem", "HTTP 410")
            run = CliRunner().invoke(app, ["alerts", "redrive", "--data-dir", str(data)])
            assert (run.exit_code, run.output) == (0, "1 messages are pending again\n")
            eventually(lambda: len(listed(client, status="sent")) == 1)
        assert not (data / "mailbox").exists()
    assert len(got) == 2
    assert len({headers["webhook-id"] for headers, _ in got}) == 1
    for headers, body in got:
        said = Webhook(SECRET).verify(body, headers)
        assert (said["type"], said["data"]["transaction_id"]) == ("alert.raised", "hook-1")


def test_a_wrong_configuration_is_told_of_at_the_start(tmp_path: Path) -> None:
    wrong = tmp_path / "alerts.yaml"
    wrong.write_text("routes: [{name: a, when: [{decisions: [DECLINED]}], to: [x@y]}]")
    run = CliRunner().invoke(app, ["serve", "--data-dir", str(tmp_path / "data"), "--alerts", str(wrong)])
    assert run.exit_code == 1
    assert "alerts.yaml: routes[0].when[0].decisions[0]: " in run.output


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (
            "routes: [{name: a, when: [{rules: [deny_list]}], to: [x@y]}]",
            1,
            "routes[0].when[0].rules: no rule deny_list",
        ),
        (
            "routes: [{name: a, when: [{rules: [geo_country_mismatch]}], to: [x@y]}]",
            0,
            "1 routes and 0 webhooks are good",
        ),
        ("routes: [{name: a}]", 1, "alerts.yaml: routes[0].when: Field required"),
        (
            "{webhooks: {h: {url: 'https://a.example', secrets: [env:NOT_SET_HERE]}},"
            " routes: [{name: a, when: [{degraded: true}], webhooks: [h]}]}",
            1,
            "webhooks.h.secrets[0]: env:NOT_SET_HERE: is not there",
        ),
    ],
)
def test_the_configuration_can_be_checked(tmp_path: Path, text: str, code: int, said: str) -> None:
    (tmp_path / "alerts.yaml").write_text(text)
    run = CliRunner().invoke(app, ["alerts", "check", "--data-dir", str(tmp_path)])
    assert run.exit_code == code, run.output
    assert said in run.output
