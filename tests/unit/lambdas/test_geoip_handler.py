"""The GeoIP stage's Lambda entry."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from assay.errors import RequestError, StageFailed
from functions.geoip.bootstrap import GeoIpError, stage
from tests.harness import maxmind
from tests.harness.http_events import Call, Context, answer, http_api_2
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, event, faults

MODULE = "functions.geoip.handler"
UNKNOWN = {"country": None, "network": None, "known": False}


def load() -> ModuleType:
    sys.modules.pop(MODULE, None)
    return importlib.import_module(MODULE)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function over a database of the bank's own."""
    path = maxmind.write(tmp_path / "own.mmdb", {"5.9.0.0/16": {"country": {"iso_code": "DE"}}})
    monkeypatch.setenv("ASSAY_GEOIP_DATABASE", str(path))
    return load()


@pytest.mark.parametrize("variable", ["", None])
def test_the_packaged_database_needs_no_setting(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable is None:
        monkeypatch.delenv("ASSAY_GEOIP_DATABASE", raising=False)
    else:
        monkeypatch.setenv("ASSAY_GEOIP_DATABASE", variable)
    assert load().handler({"ip_address": "193.0.6.139"}, None)["country"] == "NL"


def test_an_address_is_located_however_it_is_asked(own: ModuleType) -> None:
    found = {"country": "DE", "network": "5.9.0.0/16", "known": True}
    assert own.handler({"ip_address": "5.9.1.1"}, None) == found
    body = b'{"ip_address": "::ffff:5.9.1.1"}'
    posted = answer(own.handler(http_api_2(Call("POST", "/", body, {"Content-Type": "application/json"})), Context()))
    assert (posted.status, posted.json()) == (200, found)
    for nowhere in ("10.0.0.1", "::1", "8.8.8.8", "2001:4860:4860::8888"):
        assert own.handler({"ip_address": nowhere}, None) == UNKNOWN


@pytest.mark.parametrize(
    "event", [{}, {"ip_address": "secret"}, {"ip_address": 7}, {"ip_address": "5.9.1.1", "x": 1}, None]
)
def test_what_is_no_request_is_refused(own: ModuleType, event: object) -> None:
    with pytest.raises(RequestError) as refused:
        own.handler(event, None)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"no database"], ids=["missing", "empty", "broken"])
def test_without_a_database_every_request_fails_and_the_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bank.mmdb"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ASSAY_GEOIP_DATABASE", str(path))
    function = load()
    assert "bank.mmdb" in caplog.text
    for _ in range(2):
        with pytest.raises(StageFailed, match=r"bank\.mmdb"):
            function.handler({"ip_address": "5.9.1.1"}, None)
    assert answer(function.handler(http_api_2(Call("GET", "/health")), Context())).status == 200
    with pytest.raises(GeoIpError):
        stage()


def test_the_sample_events_give_what_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_GEOIP_DATABASE", raising=False)
    function = load()
    files = [file for file in EXPECTED if file.startswith("geoip/")]
    assert len(files) > 5
    assert [fault for file in files for fault in faults(file, outcome(function.handler, event(file)))] == []


def test_nothing_but_what_it_needs_is_loaded() -> None:
    code = f"import sys, json, {MODULE}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    environment = {name: value for name, value in os.environ.items() if name != "ASSAY_GEOIP_DATABASE"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    loaded = set(json.loads(run.stdout))
    assert loaded.isdisjoint({"numpy", "obstore", "botocore", "starlette", "jwt", "cryptography", "sqlite3", "yaml"})
    assert "maxminddb" in loaded
