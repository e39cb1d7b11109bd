"""moto as the contract tests have it, for the entries that work on AWS."""

from __future__ import annotations

import pytest

from tests.contract.conftest import aws, aws_environment, faults, faulty_moto, moto_endpoint
from tests.contract.faults import Faults
from tests.contract.installations import unhurried

__all__ = ["aws", "aws_environment", "broken", "endpoint", "faults", "faulty_moto", "moto_endpoint"]


@pytest.fixture
def endpoint(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of moto. What is called may take as long as this machine needs."""
    unhurried(monkeypatch)
    return moto_endpoint


@pytest.fixture
def broken(faults: Faults) -> Faults:
    """What makes moto fail during this test."""
    return faults
