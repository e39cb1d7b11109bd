"""A server that goes on while releases are promoted, rolled back and refused beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from assay.policy import Policy
from assay.release import load_trusted_keys
from assay.release.folder import FolderRegistry
from assay.release.registry import promote, roll_back
from local.cli import app
from local.places import MODELS
from tests.harness import state
from tests.harness.releases import copied_models, packaged, stricter, write_variant
from tests.harness.service import EVENTS, Service, running_service
from tests.harness.waiting import eventually

KEY = Ed25519PrivateKey.generate()
FIRST = packaged().version
VERDICTS_BETWEEN = 20
_NUMBERS = count()


@dataclass
class Load:
    """Clients that score payments until they are told to stop."""

    service: Service
    answers: list[tuple[int, str]] = field(default_factory=list)
    """Status and release, or what went wrong, in the order they came."""
    _numbers: Iterator[int] = field(default_factory=count)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        payment = json.loads((EVENTS / "score_genuine.json").read_text())
        with self.service.client() as http:
            while not self._over.is_set():
                n = next(self._numbers)
                answer = http.post(
                    "/score", json=payment | {"transaction_id": f"swap-{n}", "account_id": f"a-{n % 50}"}
                )
                release = answer.json()["release"]["version"] if answer.status_code == 200 else answer.text
                self.answers.append((answer.status_code, release))

    def stop(self) -> None:
        self._over.set()

    def decides(self, version: str) -> None:
        """Returns once verdicts name the release, and only it."""
        eventually(lambda: bool(self.answers) and self.answers[-1] == (200, version))
        seen = len(self.answers)
        eventually(lambda: len(self.answers) > seen + VERDICTS_BETWEEN)


@dataclass
class World:
    """A server, its registry, and commands beside it."""

    service: Service
    models: Path

    def assay(self, *arguments: str) -> Result:
        places = ["--models", str(self.models), "--data-dir", str(self.service.data)]
        return CliRunner().invoke(app, ["release", *arguments, *places])

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.service.address}/ready").json()
        return found

    def recorded(self, kind: str) -> int:
        found = state.query(self.service.data, "SELECT count(*) FROM audit_records WHERE kind = ?", kind)
        return int(found[0][0])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("hot-swap")
    models = copied_models(root / "models", KEY)
    write_variant(models / "releases", "2027.1", KEY, policy=stricter)
    write_variant(models / "releases", "2027.2", KEY, rules=lambda rules: rules["rules"].pop())
    write_variant(models / "releases", "2027.3", Ed25519PrivateKey.generate())
    write_variant(models / "releases", "2027.4", KEY, policy=lambda policy: policy.update(actions={"freeze": []}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_MODELS", str(models))
        with running_service(root / "data") as service:
            yield World(service, models)


def test_releases_change_under_load_and_no_request_fails(world: World) -> None:
    load = Load(world.service)
    with ThreadPoolExecutor(2) as clients:
        running = [clients.submit(load.run) for _ in range(2)]
        try:
            load.decides(FIRST)
            assert world.assay("promote", "2027.1", "--why", "a test").exit_code == 0
            load.decides("2027.1")
            assert world.assay("promote", "2027.2", "--expected-champion", "2027.1").exit_code == 0
            load.decides("2027.2")
            assert world.assay("rollback").exit_code == 0
            load.decides("2027.1")
            assert world.assay("rollback").exit_code == 0
            load.decides(FIRST)
        finally:
            load.stop()
        for client in running:
            client.result()
    assert {status for status, _ in load.answers} == {200}
    assert world.ready() == {"status": "ready"}
    state.drained(world.service.data)
    eventually(lambda: [world.recorded(f"release.{move}") for move in ("promoted", "rolled_back")] == [2, 2])


def test_a_bad_release_is_refused_and_the_last_good_one_goes_on(world: World) -> None:
    refused = world.assay("promote", "2027.3")
    assert refused.exit_code == 1
    assert "trusted keys" in refused.stderr
    pointer = world.models / "releases" / "CHAMPION"
    good = pointer.read_bytes()
    for name in ("2027.3", "../../etc"):
        pointer.write_text(f"{name}\n")  # by somebody who asks nobody
        eventually(lambda: "release" in world.ready().get("notes", {}))
        assert world.ready()["notes"]["release"].endswith(f"{FIRST} goes on")
        with world.service.client() as http:
            body = json.loads((EVENTS / "score_genuine.json").read_text()) | {"transaction_id": f"bad-{len(name)}"}
            assert http.post("/score", json=body).json()["release"]["version"] == FIRST
        pointer.write_bytes(good)
        eventually(lambda: world.ready() == {"status": "ready"})
    logged = world.service.log.read_text()
    assert logged.count("trusted keys") == 1, "told once"


def test_what_follows_a_verdict_is_by_the_policy_of_the_release_too(world: World) -> None:
    payment = json.loads((EVENTS / "score_blocked.json").read_text())

    def frozen() -> int:
        """Accounts that one decline by a rule has frozen."""
        before, name = world.recorded("account.frozen"), f"follow-{next(_NUMBERS)}"
        with world.service.client() as http:
            answer = http.post("/score", json=payment | {"transaction_id": name, "account_id": name})
        assert answer.json()["decision"] == "DECLINE"
        state.drained(world.service.data)
        return world.recorded("account.frozen") - before

    assert frozen() == 1
    assert world.assay("promote", "2027.4").exit_code == 0
    eventually(lambda: frozen() == 0)
    assert world.assay("rollback").exit_code == 0
    eventually(lambda: frozen() == 1)


def test_a_move_whose_command_ended_too_soon_is_announced_by_the_server(world: World) -> None:
    registry, before = FolderRegistry(world.models / "releases"), world.recorded("release.promoted")
    promote(registry, "2027.1", [KEY.public_key()], "ann", "and then the power went")
    eventually(lambda: world.recorded("release.promoted") == before + 1)
    roll_back(registry, load_trusted_keys(world.models / "keys"))
    eventually(lambda: world.ready() == {"status": "ready"})


def test_what_the_commands_show(world: World) -> None:
    (world.models / "releases" / "2027.4").mkdir(exist_ok=True)
    (world.models / "releases" / "2027.4" / "manifest.json").write_text("{")
    listed = json.loads(world.assay("list", "--json").stdout)
    others = {path.name for path in (MODELS / "releases").iterdir()} - {FIRST}
    states = {release["version"]: release["state"] for release in listed["releases"]}
    assert {version: state for version, state in states.items() if version not in others} == {
        FIRST: "champion", "2027.1": "candidate", "2027.2": "candidate", "2027.3": "broken", "2027.4": "broken"
    }  # fmt: skip
    facts = {release["version"]: release for release in listed["releases"]}
    assert facts["2027.1"]["signed_by"] == "test"
    assert facts["2027.4"]["reason"]
    assert listed["fault"] is None
    different = json.loads(world.assay("diff", FIRST, "2027.1", "--json").stdout)
    policy = Policy.load(packaged().read("policy.yaml"))
    assert policy.challenge_above < policy.decline_above
    assert different["policy"] == {"decline_above": [policy.decline_above, policy.challenge_above]}
    assert different["rules"] == {"added": [], "removed": [], "changed": {}, "reordered": False, "escalation": []}
    assert (different["thresholds"], different["metrics"], different["features"]) == ({}, {}, {})
    assert different["files"] == ["policy.yaml"]
    lines = world.assay("diff", "2027.1", "2027.2").stdout.splitlines()
    assert f"policy: decline_above: {policy.challenge_above} -> {policy.decline_above}" in lines
    assert any(line.startswith("rules: -") for line in lines)
    shown = json.loads(world.assay("show", "--json").stdout)
    assert shown["version"] == FIRST
    assert {move["event"] for move in shown["history"]} <= {"release.promoted", "release.rolled_back"}
    assert world.assay("show", "2027.1").stdout.startswith("2027.1  ")
    assert world.assay("verify", str(world.models / "releases" / "2027.1")).exit_code == 0
    for arguments in (("show", "2027.4"), ("diff", FIRST, "2027.4"), ("promote", "nothing"), ("verify", "/nowhere")):
        failed = world.assay(*arguments)
        assert (failed.exit_code, failed.stderr.startswith("assay: ")) == (1, True), arguments
