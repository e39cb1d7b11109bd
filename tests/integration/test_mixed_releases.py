"""An orchestrator and stages that are on different releases for some seconds: a verdict is never made by both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.errors import StageFailed
from assay.release.champion import Champion
from assay.release.folder import FolderRegistry
from assay.release.registry import promote
from assay.release.served import OfEachRelease
from assay.release.store import Release
from assay.schemas.verdict import FraudVerdict
from assay.stage_client import StageClient
from assay.stage_server import stage_handler
from assay.stages import Request, Response, Stage
from functions.autoencoder import bootstrap as autoencoder
from functions.decision_engine import bootstrap as decision_engine
from functions.isolation_forest import bootstrap as isolation_forest
from functions.orchestrator.intake import read_transaction
from functions.orchestrator.pipeline import STAGES, Pipeline, Settings
from functions.rules_engine import bootstrap as rules_engine
from functions.xgboost_classifier import bootstrap as xgboost_classifier
from tests.harness.releases import every_flag_escalates, write_variant

KEY = Ed25519PrivateKey.generate()
TRUSTED = [KEY.public_key()]
OLD, NEW = "1.0", "2.0"
BUILD: dict[str, Callable[[Any], Any]] = {
    "rules_engine": rules_engine.stage,
    "isolation_forest": isolation_forest.stage,
    "autoencoder": autoencoder.stage,
    "xgboost_classifier": xgboost_classifier.stage,
    "decision_engine": decision_engine.stage,
}
RISKY = json.loads((Path(__file__).parents[2] / "events/score_genuine.json").read_text())


def renamed(rules: dict[str, Any]) -> None:
    """Each rule's id says of which release it is, and one always fires."""
    for rule in rules["rules"]:
        rule["id"] = f"new_{rule['id']}"
    rules["rules"][0] |= {"when": "amount > 0", "severity": "FLAG", "analyst_text": "always"}


def first_fires(rules: dict[str, Any]) -> None:
    rules["rules"][0] |= {"when": "amount > 0", "severity": "FLAG", "analyst_text": "always"}


def never_escalates(policy: dict[str, Any]) -> None:
    policy["flag_escalates"] = False
    policy["challenge_above"] = policy["decline_above"] = 1.0


class Elsewhere:
    """A stage behind its Lambda entry: plain JSON in and out."""

    def __init__(self, entry: Callable[[Any, Any], dict[str, Any]]) -> None:
        self._entry = entry

    async def send(self, stage: Stage[Request, Response], request: Request) -> Response:
        try:
            answer = self._entry(json.loads(request.model_dump_json()), None)
        except Exception as error:
            raise StageFailed(stage.name, "FunctionError Unhandled") from error
        return stage.response_type.model_validate_json(json.dumps(answer))


@dataclass
class World:
    """A registry with an old and a new release; the old one is the champion."""

    root: Path
    registry: FolderRegistry

    def open(self, version: str) -> Release:
        return self.registry.open(version, TRUSTED)

    def stages(self, serving: str) -> dict[str, Elsewhere]:
        """Processes that began with this release and have not looked since."""
        champion = Champion(self.registry, lambda: TRUSTED, self.open(serving))
        return {s.name: Elsewhere(stage_handler(s, OfEachRelease(champion, BUILD[s.name]))) for s in STAGES}

    def score(self, orchestrator: str, stages: dict[str, Elsewhere], data: Path) -> FraudVerdict:
        settings = Settings.of(self.open(orchestrator), 60_000)

        async def run() -> bytes:
            ledger = SqliteLedger(data)
            pipeline = Pipeline(
                StageClient({}, dict(stages)), SqliteProfileStore(ledger), SqliteDecisionStore(ledger), settings
            )
            try:
                body = json.dumps(RISKY | {"features": {"new_device_flag": 0, "device_seen_before": 1}})
                return await pipeline.score(read_transaction(body.encode(), "bank", settings.rates, datetime.now(UTC)))
            finally:
                await ledger.close()

        return FraudVerdict.model_validate_json(asyncio.run(run()))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("releases")
    write_variant(root, OLD, KEY, rules=first_fires, policy=every_flag_escalates)
    write_variant(root, NEW, KEY, rules=renamed, policy=never_escalates)
    registry = FolderRegistry(root)
    promote(registry, OLD, TRUSTED)
    promote(registry, NEW, TRUSTED)
    return World(root, registry)


def assert_made_by(verdict: FraudVerdict, version: str) -> None:
    """By the old release rules escalate; by the new one their names are new and they do not."""
    assert (verdict.release.version, verdict.degraded) == (version, [])
    assert verdict.triggered_rules
    is_new = version == NEW
    assert all(rule.startswith("new_") == is_new for rule in verdict.triggered_rules)
    assert (verdict.decision == "APPROVE") == is_new


@pytest.mark.parametrize("stages", [OLD, NEW])
@pytest.mark.parametrize("orchestrator", [OLD, NEW])
def test_the_release_that_the_orchestrator_decides_by_is_everybodys(
    world: World, tmp_path: Path, orchestrator: str, stages: str
) -> None:
    assert_made_by(world.score(orchestrator, world.stages(stages), tmp_path / "assay.db"), orchestrator)


def test_one_stage_that_is_behind_is_no_exception(world: World, tmp_path: Path) -> None:
    for name in BUILD:
        stages = world.stages(NEW) | {name: world.stages(OLD)[name]}
        assert_made_by(world.score(NEW, stages, tmp_path / f"{name}.db"), NEW)


def test_a_stage_that_cannot_have_the_release_is_a_missing_part(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = world.stages(OLD)
    monkeypatch.setattr(FolderRegistry, "read", lambda *_: None)
    behind = world.stages(NEW) | {"rules_engine": stages["rules_engine"], "autoencoder": stages["autoencoder"]}
    verdict = world.score(NEW, behind, tmp_path / "assay.db")
    assert (verdict.release.version, verdict.degraded) == (NEW, ["rules_engine", "autoencoder"])
    assert verdict.triggered_rules == []
