"""The containers and the imitation of AWS, started once, by the same code as `make sam-local`.

Where Docker or sam is missing these tests fail: they are never skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest

from local.aws.processes import free_port
from local.aws.stack import Choices, LocalAws, local_aws
from local.embedded import Places
from tests.containers.installation import client_of


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Everything, running."""
    places = Places(tmp_path_factory.mktemp("aws"))
    choices = Choices(places, free_port("127.0.0.1"), os.environ.get("ASSAY_BASE_IMAGE", ""))
    with local_aws(choices, print) as running:
        yield running


@pytest.fixture
def client(aws: LocalAws) -> Iterator[httpx.Client]:
    """A client of the API with every scope."""
    with client_of(aws, "shop") as found:
        yield found
