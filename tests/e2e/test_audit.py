"""The audit log through the running server: what was decided is in it, who may read it, and the commands beside it."""

from __future__ import annotations

import gzip
import hashlib
import json
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from assay.audit.chain import RECORD
from assay.identity.scopes import Role, scopes_of
from local import tokens
from local.cli import app
from tests.harness.audit import objects
from tests.harness.problems import faults
from tests.harness.service import EVENTS, Service, running_service
from tests.harness.waiting import eventually

NUMBERS = count(1)


def assert_problem(answer: httpx.Response, status: int) -> None:
    assert faults(answer.status_code, answer.headers, answer.content, statuses=(status,)) == []


def scored(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    """A verdict, once it is in the log; the record."""
    body = json.loads((EVENTS / "score_genuine.json").read_text())
    body |= {"transaction_id": f"audited-{next(NUMBERS)}", **changes}
    assert client.post("/score", json=body).status_code == 200
    place = f"/audit/records/{body['transaction_id']}"
    eventually(lambda: client.get(place).status_code == 200)
    return {"body": body, "answer": client.get(place)}


def person(server: Service, role: Role) -> httpx.Client:
    ring = tokens.FolderSigningKeys(server.data / "keys").read()
    token = tokens.issuer().mint(ring, "usr_1", scopes_of(role), 600, session="ses_1", role=role)
    return httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_a_decision_is_recorded_as_it_was_answered(server: Service) -> None:
    with server.client("audited") as client:
        found = scored(client)
        verdict = client.get(f"/decisions/{found['body']['transaction_id']}").json()
    record = found["answer"].json()
    assert record["event"]["verdict"] == verdict
    assert record["event"]["transaction"] == found["body"]
    assert (record["kind"], record["client_id"]) == ("transaction.scored", "audited")
    line = found["answer"].content
    assert hashlib.sha256(RECORD + line[75:]).hexdigest() == record["hash"]


def test_the_head_moves_with_the_log_and_can_be_looked_for_later(server: Service) -> None:
    with server.client("audited") as client:
        scored(client)
        first = client.get("/audit/head").json()
        record = scored(client)["answer"].json()
        second = client.get("/audit/head").json()
    assert first["sequence"] < record["sequence"] <= second["sequence"]
    heads = [f"--head={head['sequence']}:{head['hash']}" for head in (first, second)]
    run = CliRunner().invoke(app, ["audit", "verify", "--data-dir", str(server.data), "--json", *heads])
    assert run.exit_code == 0 and json.loads(run.output)["anchored"], run.output
    lied = CliRunner().invoke(app, ["audit", "verify", "--data-dir", str(server.data), f"{heads[0][:-1]}x"])
    assert lied.exit_code == 1


def test_a_client_reads_its_own_and_a_person_names_the_client(server: Service) -> None:
    with server.client("audited") as client, server.client("another") as other:
        found = scored(client)
        place = f"/audit/records/{found['body']['transaction_id']}"
        assert_problem(other.get(place), 404)
        assert_problem(other.get(place, params={"client_id": "audited"}), 404)
    with person(server, Role.LEAD) as lead:
        assert lead.get(place, params={"client_id": "audited"}).content == found["answer"].content
        assert_problem(lead.get(place, params={"client_id": "another"}), 404)
        unnamed = lead.get(place)
        assert_problem(unnamed, 422)
        assert [error["field"] for error in unnamed.json()["errors"]] == ["client_id"]
        assert lead.get("/audit/head").status_code == 200
    with person(server, Role.ANALYST) as analyst:
        assert_problem(analyst.get(place, params={"client_id": "audited"}), 403)
        assert_problem(analyst.get("/audit/head"), 403)


@pytest.mark.parametrize("path", ["/audit/head", "/audit/records/t-1"])
def test_the_routes_are_closed(server: Service, path: str) -> None:
    assert_problem(httpx.get(f"{server.address}{path}"), 401)
    with server.client(scopes=("decisions:read",)) as client:
        assert_problem(client.get(path), 403)
    with server.client() as client:
        assert_problem(client.post(path), 405)


@pytest.mark.parametrize("id_", ["never", "x" * 5_000, "%00", "%ff", "a%23b", "..%2Fhead", "4111111111111111"])
def test_what_is_not_recorded_is_not_found_and_not_repeated(client: httpx.Client, id_: str) -> None:
    answer = client.get(f"/audit/records/{id_}")
    assert_problem(answer, 404)
    assert "4111" not in answer.text


def test_the_command_shows_the_same_record(server: Service) -> None:
    with server.client("audited") as client:
        record = scored(client)["answer"].json()
    run = CliRunner().invoke(app, ["audit", "show", record["id"], "--data-dir", str(server.data)])
    assert run.exit_code == 0 and json.loads(run.output)["hash"] == record["hash"]


def test_a_record_that_was_changed_is_not_served(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service, service.client() as client:
        record = scored(client)["answer"].json()
        (path,) = objects(service.data / "audit")
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"APPROVE", b"DECLINE")))
        answer = client.get(f"/audit/records/{record['id']}")
        assert faults(answer.status_code, answer.headers, answer.content, statuses=[503]) == []
        assert "Retry-After" in answer.headers
        assert "its content does not have its hash" in service.log.read_text()
