"""One embedded server for all end-to-end tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.harness.service import Service, running_service


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The server, over a new folder."""
    with running_service(tmp_path_factory.mktemp("server") / "data") as service:
        yield service


@pytest.fixture(scope="session")
def client(server: Service) -> Iterator[httpx.Client]:
    """A client with every scope."""
    with server.client() as found:
        yield found
