"""The containers and the imitation of AWS, started once, by the same code as `make sam-local`.

Where Docker or sam is missing these tests fail: they are never skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from local.aws import docker
from local.aws.processes import free_port
from local.aws.stack import Choices, LocalAws, local_aws
from local.places import Places
from tests.containers.installation import client_of
from tests.harness import card_system
from tests.harness.card_system import CardSystem


@pytest.fixture(scope="session")
def cards() -> Iterator[CardSystem]:
    """The bank's card system, on this machine, where containers can reach it."""
    with card_system.running(card_system.good, docker.host_address()) as running:
        yield running


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory, cards: CardSystem) -> Iterator[LocalAws]:
    """Everything, running."""
    folder = tmp_path_factory.mktemp("aws")
    secret = folder / "cards.secret"
    secret.write_text(card_system.SECRET)
    port = urlsplit(cards.url).port
    places = Places(folder, card_management=f"http://{docker.HOST}:{port}/orders", card_secret=secret)
    choices = Choices(places, free_port("127.0.0.1"), os.environ.get("ASSAY_BASE_IMAGE", ""))
    with local_aws(choices, print) as running:
        yield running


@pytest.fixture
def client(aws: LocalAws) -> Iterator[httpx.Client]:
    """A client of the API with every scope."""
    with client_of(aws, "shop") as found:
        yield found
