"""The GeoIP stage beside the deployed pipeline: inline, as a Lambda of its own, and gone."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from assay.errors import SettingsError, StageUnavailable
from assay.geoip import GEOIP
from assay.schemas.geoip import GeoIpRequest
from assay.stage_client import StageClient
from functions.orchestrator.placement import Noting
from tests.harness import maxmind
from tests.harness.stage_host import raising, refusing, saying
from tests.integration.test_lambda_pipeline import Deployment, World, payment, world  # noqa: F401 - world: a fixture

NETWORKS = {"5.9.0.0/16": {"country": {"iso_code": "DE"}}, "41.75.80.0/21": {"country": {"iso_code": "NG"}}}
FOUND = {"country": "DE", "network": "5.9.0.0/16", "known": True}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = maxmind.write(tmp_path / "bank.mmdb", NETWORKS)
    monkeypatch.setenv("ASSAY_GEOIP_DATABASE", str(path))
    return path


def served(world: World) -> None:  # noqa: F811
    """The function as it starts in this environment."""
    sys.modules.pop("functions.geoip.handler", None)
    world.host.functions["geoip"] = importlib.import_module("functions.geoip.handler").handler


def deployed(world: World, placement: str | None) -> Deployment:  # noqa: F811
    served(world)
    return world.deployment("inline", ASSAY_STAGE_GEOIP=placement)


def travels(deployment: Deployment) -> Any:
    """Pays at home, then where the address is another country's; the last verdict."""
    account = payment()["account_id"]
    for _ in range(3):
        body = payment(account_id=account, ip_address="5.9.0.1")
        body.pop("geo_country", None)
        deployment.score(body)
    body = payment(account_id=account, ip_address="41.75.80.1")
    body.pop("geo_country", None)
    return deployment.score(body)


@pytest.mark.parametrize("placement", ["inline", "lambda:geoip"])
def test_a_country_that_was_not_sent_is_looked_up(world: World, database: Path, placement: str) -> None:  # noqa: F811
    deployment = deployed(world, placement)
    assert deployment.call("GET", "/geoip/5.9.1.1").json() == FOUND
    assert deployment.call("GET", "/ready").json() == {"status": "ready"}
    verdict = travels(deployment)
    assert "geo_country_mismatch" in verdict.triggered_rules
    assert verdict.degraded == []


def test_without_the_stage_the_country_is_what_the_caller_sends(world: World, database: Path) -> None:  # noqa: F811
    deployment = deployed(world, None)
    assert deployment.call("GET", "/geoip/5.9.1.1").status == 503
    verdict = travels(deployment)
    assert "geo_country_mismatch" in verdict.rules_not_evaluated
    assert verdict.degraded == []
    assert deployment.call("GET", "/ready").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("fault", "status", "note"),
    [
        (raising, 502, "FunctionError"),
        (refusing(404, "ResourceNotFoundException"), 503, "ResourceNotFoundException"),
        (saying(b'{"country":"XX"}'), 502, "not a valid answer"),
    ],
    ids=["raised", "not there", "wrong"],
)
def test_a_stage_that_fails_degrades_nothing_and_ready_says_so(
    world: World,  # noqa: F811
    database: Path,
    fault: Any,
    status: int,
    note: str,
) -> None:
    deployment = deployed(world, "lambda:geoip")
    with deployment.broken(fault, "geoip"):
        verdict = travels(deployment)
        assert "geo_country_mismatch" in verdict.rules_not_evaluated
        assert verdict.degraded == []
        assert deployment.call("GET", "/geoip/5.9.1.1").status == status
        ready = deployment.call("GET", "/ready")
        assert (ready.status, ready.json()["status"]) == (200, "ready")
        assert note in ready.json()["notes"]["geoip"]
    assert deployment.call("GET", "/geoip/5.9.1.1").json() == FOUND
    assert deployment.call("GET", "/ready").json() == {"status": "ready"}


@pytest.mark.parametrize("placement", ["inline", "lambda:geoip"])
def test_a_broken_database_is_noted(world: World, database: Path, placement: str) -> None:  # noqa: F811
    database.write_bytes(b"no database")
    deployment = deployed(world, placement)
    assert "geo_country_mismatch" in travels(deployment).rules_not_evaluated
    note = deployment.call("GET", "/ready").json()["notes"]["geoip"]
    assert ("bank.mmdb" if placement == "inline" else "FunctionError") in note
    assert deployment.call("GET", "/geoip/5.9.1.1").status in {502, 503}


def test_a_placement_that_is_none_is_named(world: World) -> None:  # noqa: F811
    with pytest.raises(SettingsError, match="ASSAY_STAGE_GEOIP: should be inline"):
        deployed(world, "packaged")


def test_a_stage_that_hangs_is_noted_when_the_caller_gives_up() -> None:
    class Hangs:
        async def send(self, *_: object) -> Any:
            await asyncio.Event().wait()

    async def scenario() -> None:
        notes: dict[str, str] = {}
        client = StageClient({}, {GEOIP.name: Noting(Hangs(), notes)})
        with pytest.raises(StageUnavailable):
            await client.call(GEOIP, GeoIpRequest(ip_address="5.9.0.1"), client.clock() + 0.01)
        assert notes == {"geoip": "out of time"}

    asyncio.run(scenario())
