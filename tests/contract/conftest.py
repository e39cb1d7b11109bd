"""moto behind a door that can be told to fail, and the stores over it or over SQLite."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from assay.adapters.aws import decisions
from local.aws.moto_server import one_at_a_time
from tests.contract.faults import Faults
from tests.contract.installations import PATIENT_S, AwsInstallation, SqliteInstallation


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        return


@pytest.fixture(scope="session")
def faulty_moto() -> Iterator[tuple[str, Faults]]:
    """The server's address, and what makes it fail."""
    faults = Faults(one_at_a_time(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, faults, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", faults
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def moto_endpoint(faulty_moto: tuple[str, Faults]) -> str:
    """Address of a moto server, one call at a time."""
    return faulty_moto[0]


@pytest.fixture
def faults(faulty_moto: tuple[str, Faults]) -> Iterator[Faults]:
    """What makes moto fail during this test."""
    yield faulty_moto[1]
    faulty_moto[1].clear()


@pytest.fixture
def aws_environment(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nobody's credentials, and moto in place of AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    return monkeypatch


@pytest.fixture
def aws(aws_environment: pytest.MonkeyPatch, faults: Faults) -> AwsInstallation:
    """New tables, a new topic and a queue behind it. Publishing may take as long as this machine needs."""
    aws_environment.setattr(decisions, "PUBLISH_WITHIN_S", PATIENT_S)
    return AwsInstallation()


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteInstallation:
    """A new file."""
    return SqliteInstallation(tmp_path / "assay.db")


@pytest.fixture(params=["sqlite", "aws"])
def installation(request: pytest.FixtureRequest) -> SqliteInstallation | AwsInstallation:
    """Each of the two."""
    return request.getfixturevalue(request.param)
