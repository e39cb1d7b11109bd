"""GeoIP through the running server: the route, and what a country that was not sent does to a verdict."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from typer.testing import CliRunner

from local.cli import app
from tests.harness import maxmind
from tests.harness.problems import faults
from tests.harness.service import Service, running_service
from tests.unit.geoip.test_lookup import NOWHERE, WRONG

UNKNOWN = {"country": None, "network": None, "known": False}
IN_A_PATH = [text for text in WRONG if text and "/" not in text]
"""The others are other routes."""


def assert_problem(answer: httpx.Response, status: int) -> None:
    """A refusal as every other, of this status."""
    assert faults(answer.status_code, answer.headers, answer.content, statuses=(status,)) == []


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with a database of the bank's own."""
    folder = tmp_path_factory.mktemp("bank")
    networks = {"5.9.0.0/16": {"country": {"iso_code": "DE"}}, "41.75.80.0/21": {"country": {"iso_code": "NG"}}}
    with ExitStack() as running:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ASSAY_GEOIP_DATABASE", str(maxmind.write(folder / "own.mmdb", networks)))
            service = running.enter_context(running_service(folder / "data"))
        yield service


def test_an_operator_asks_where_an_address_is(client: httpx.Client) -> None:
    found = client.get("/geoip/193.0.6.139")
    assert (found.status_code, found.headers["content-type"]) == (200, "application/json")
    assert found.json()["country"] == "NL"
    assert client.get("/geoip/::ffff:193.0.6.139").json() == found.json()


def test_a_database_of_the_banks_own(bank: Service) -> None:
    with bank.client() as client:
        assert client.get("/geoip/5.9.1.1").json() == {"country": "DE", "network": "5.9.0.0/16", "known": True}
        assert client.get("/geoip/193.0.6.139").json() == UNKNOWN
        assert client.get("/ready").json() == {"status": "ready"}


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_that_is_nowhere_is_unknown(client: httpx.Client, address: str) -> None:
    answer = client.get(f"/geoip/{quote(address, safe='')}")
    assert (answer.status_code, answer.json()) == (200, UNKNOWN)


@pytest.mark.parametrize("text", IN_A_PATH)
def test_what_is_no_address_is_a_problem_that_does_not_repeat_it(client: httpx.Client, text: str) -> None:
    answer = client.get(f"/geoip/{quote(text, safe='')}")
    assert_problem(answer, 422)
    assert len(text) < 4 or text not in answer.text


def test_the_route_is_closed(server: Service) -> None:
    assert_problem(httpx.get(f"{server.address}/geoip/8.8.8.8"), 401)
    with server.client(scopes=("score:write",)) as client:
        assert_problem(client.get("/geoip/8.8.8.8"), 403)
    with server.client() as client:
        assert_problem(client.post("/geoip/8.8.8.8"), 405)


def payment(n: int, **changes: Any) -> dict[str, Any]:
    return {
        "transaction_id": f"geo-{n}",
        "account_id": "traveller",
        "occurred_at": f"2026-03-01T10:{n:02}:00Z",
        "amount": 20.0,
        "currency": "EUR",
        "channel": "web",
        "auth_method": "otp",
        **changes,
    }


def test_a_country_that_was_not_sent_is_that_of_the_address(bank: Service) -> None:
    with bank.client() as client:
        for n in range(4):
            verdict = client.post("/score", json=payment(n, ip_address="5.9.0.1")).json()
            assert "geo_country_mismatch" not in verdict["triggered_rules"] + verdict["rules_not_evaluated"]
        away = payment(4, ip_address="::ffff:41.75.80.1")
        verdict = client.post("/score", json=away)
        assert "geo_country_mismatch" in verdict.json()["triggered_rules"]
        assert verdict.json()["degraded"] == []
        assert client.post("/score", json=away).content == verdict.content
        home = client.post("/score", json=payment(5, ip_address="41.75.80.1", geo_country="DE")).json()
        assert "geo_country_mismatch" not in home["triggered_rules"]
        unknown = client.post("/score", json=payment(6, ip_address="10.0.0.1")).json()
        assert "geo_country_mismatch" in unknown["rules_not_evaluated"]


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_without_a_database_scoring_goes_on_and_ready_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    path = tmp_path / "bank.mmdb"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ASSAY_GEOIP_DATABASE", str(path))
    with running_service(tmp_path / "data") as service, service.client() as client:
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert "bank.mmdb" in ready.json()["notes"]["geoip"]
        verdict = client.post("/score", json=payment(0, ip_address="5.9.0.1"))
        assert (verdict.status_code, verdict.json()["degraded"]) == (200, [])
        assert "geo_country_mismatch" in verdict.json()["rules_not_evaluated"]
        refused = client.get("/geoip/5.9.0.1")
        assert_problem(refused, 503)
        assert "Retry-After" in refused.headers
        assert_problem(client.get("/geoip/nowhere"), 422)
        assert "bank.mmdb" in service.log.read_text()
    with sqlite3.connect(tmp_path / "data" / "assay.db") as database:
        assert database.execute("SELECT count(*) FROM decisions").fetchone() == (1,)


def test_doctor_says_which_database_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_GEOIP_DATABASE", raising=False)

    def doctor(*options: str) -> tuple[int, str]:
        run = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path / "data"), *options])
        return run.exit_code, next(line for line in run.output.splitlines() if "geoip:" in line)

    assert doctor() == (0, "ok    geoip: Geoacumen-Country of 2024-06-23, the packaged one")
    own = str(maxmind.write(tmp_path / "own.mmdb", {"5.9.0.0/16": {"country_code": "DE"}}))
    assert doctor("--geoip", own)[1].startswith("ok    geoip: Test-Country of 2026-05-")
    code, line = doctor("--geoip", str(tmp_path / "missing.mmdb"))
    assert (code, line.startswith("FAIL  geoip: ")) == (1, True)
    assert "missing.mmdb" in line and "ASSAY_GEOIP_DATABASE" in line
