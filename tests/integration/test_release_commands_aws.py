"""`assay release` over a bucket: the pointer moves by a conditional put, the outbox's table and topic tell of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from assay.adapters.aws.objects import open_store
from assay.release.keys import fingerprint, load_or_create_signing_key, load_trusted_keys
from assay.schemas.event import Event
from local.aws import resources
from local.aws.moto_server import moto, serving
from local.cli import app
from tests.contract.installations import AwsInstallation, unhurried
from tests.harness.releases import copied_models, stricter, write_variant

KEY = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving(moto()) as address:
        yield address


@dataclass
class Deployed:
    """A bucket with two releases, 1.0 the champion, and where events go."""

    models: Path
    location: str
    aws: AwsInstallation

    def assay(self, *arguments: str, told: bool = True) -> Result:
        places = ["--registry", self.location, "--models", str(self.models), "--data-dir", str(self.models / "data")]
        events = ["--outbox-table", self.aws.tables["Outbox"], "--events-topic", self.aws.topic] if told else []
        return CliRunner().invoke(app, ["release", *arguments, *places, *events])

    def published(self) -> list[Event]:
        return [Event.model_validate_json(body) for body, _ in self.aws.published()]


@pytest.fixture
def deployed(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployed:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    unhurried(monkeypatch)
    models, bucket = copied_models(tmp_path / "models", KEY), f"releases-{uuid4()}"
    resources.client("s3", endpoint).create_bucket(Bucket=bucket)
    location = f"s3://{bucket}/releases"
    store = open_store(location)
    for version in ("1.0", "2.0"):
        for path in write_variant(tmp_path / "written", version, KEY, policy=stricter).iterdir():
            store.put(f"{version}/{path.name}", path.read_bytes())
    store.put("CHAMPION", b"1.0\n")
    store.put("3.0/manifest.json", b"{")
    return Deployed(models, location, AwsInstallation())


def test_promote_and_roll_back(deployed: Deployed) -> None:
    promoted = deployed.assay("promote", "2.0", "--why", "better", "--by", "ann", "--json")
    assert promoted.exit_code == 0, promoted.output
    [event] = deployed.published()
    assert (event.event, event.id) == ("release.promoted", json.loads(promoted.stdout)["id"])
    assert (event.data["by"], event.data["before.version"], event.data["after.version"]) == ("ann", "1.0", "2.0")
    assert deployed.assay("rollback", "--expected-champion", "2.0").exit_code == 0
    assert [event.event for event in deployed.published()] == ["release.promoted", "release.rolled_back"]
    assert deployed.aws.items("Outbox") == []


def test_it_is_listed(deployed: Deployed) -> None:
    listed = json.loads(deployed.assay("list", "--json", told=False).stdout)["releases"]
    assert [(release["version"], release["state"]) for release in listed] == [
        ("1.0", "champion"), ("2.0", "candidate"), ("3.0", "broken")
    ]  # fmt: skip
    assert listed[0]["written"]
    assert deployed.assay("diff", "1.0", "2.0", told=False).exit_code == 0


def test_without_a_place_for_the_event_nothing_is_moved(deployed: Deployed) -> None:
    for command in (("promote", "2.0"), ("rollback",)):
        refused = deployed.assay(*command, told=False)
        assert refused.exit_code == 2
        assert "--outbox-table" in refused.output
    assert "1.0              champion" in deployed.assay("list", told=False).stdout


def test_what_could_not_be_announced_is_by_the_next_command(deployed: Deployed) -> None:
    table, deployed.aws.tables["Outbox"] = deployed.aws.tables["Outbox"], "no-such-table"
    failed = deployed.assay("promote", "2.0")
    assert (failed.exit_code, "done, but not announced" in failed.stderr) == (1, True)
    assert deployed.published() == []
    assert deployed.assay("promote", "1.0").exit_code == 1, "nothing is moved while nothing can be told"
    deployed.aws.tables["Outbox"] = table
    again = deployed.assay("promote", "2.0")
    assert "2.0: is the champion" in again.stderr
    assert [event.event for event in deployed.published()] == ["release.promoted"]


def test_a_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "trainer.pem"
    first, again = (CliRunner().invoke(app, ["release", "key", str(file)]) for _ in range(2))
    assert (first.exit_code, first.stdout) == (0, again.stdout)
    key = load_or_create_signing_key(file)
    assert [fingerprint(each) for each in load_trusted_keys(file.parent)] == [fingerprint(key.public_key())]
    file.chmod(0o644)
    refused = CliRunner().invoke(app, ["release", "key", str(file)])
    assert (refused.exit_code, "chmod 600" in refused.stderr) == (1, True)
