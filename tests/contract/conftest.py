"""moto behind a door that can be told to fail, and the stores over it or over SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws.moto_server import moto, serving
from tests.contract.faults import Faults
from tests.contract.installations import AwsInstallation, SqliteInstallation, unhurried


@pytest.fixture(scope="session")
def faulty_moto() -> Iterator[tuple[str, Faults]]:
    """The server's address, and what makes it fail."""
    faults = Faults(moto())
    with serving(faults) as address:
        yield address, faults


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
    """New tables, a new topic and a queue behind it. What is called may take as long as this machine needs."""
    unhurried(aws_environment)
    return AwsInstallation()


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteInstallation:
    """A new file."""
    return SqliteInstallation(tmp_path / "assay.db")


@pytest.fixture(params=["sqlite", "aws"])
def installation(request: pytest.FixtureRequest) -> SqliteInstallation | AwsInstallation:
    """Each of the two."""
    return request.getfixturevalue(request.param)
