"""`assay retrain` over a data folder: what it makes, keeps and announces; a fresh champion that is taken back."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assay.adapters.sqlite.schema import open_database
from assay.intelligence.reports import RETRAINING
from assay.release.folder import FolderRegistry
from assay.release.registry import challenger, pointer, promote, roll_back, set_challenger
from functions.trainer.golden import freeze_simulated
from functions.trainer.installation import RetrainingError
from functions.trainer.report import GATED, Retraining, gate_file, keep, read
from functions.trainer.run import Retrainer
from functions.trainer.watch import roll_back_if_worse
from local.champion import open_champion, trusted_keys
from local.cli import app
from local.demo.backfill import fill, label
from local.places import Places
from local.retraining.installation import Embedded
from tests.harness.releases import packaged
from tests.harness.retraining import CLIENT, NOW, SMALL, START, bank, installation, write
from training.costs import Costs
from training.retraining.gate import GateResult
from training.retraining.golden import FILE
from training.settings import default

COSTS = Costs.load(default("costs.yaml"))
FIRST = packaged().version


def events(places: Places, kind: str) -> list[dict[str, Any]]:
    with closing(open_database(places.database)) as connection:
        return [json.loads(body) for (body,) in connection.execute("SELECT body FROM outbox WHERE kind = ?", (kind,))]


@dataclass(frozen=True)
class Retrained:
    places: Places
    report: Retraining


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Retrained:
    """A bank of 45 days with its labels, retrained once because there are enough of them."""
    places = installation(tmp_path_factory.mktemp("retrained"))
    champion = open_champion(places)
    filled = fill(places, champion, bank(), CLIENT)
    freeze_simulated(Embedded(places), champion, customers=80, days=40)
    asyncio.run(label(places, champion, filled.labels, CLIENT))
    written = FolderRegistry(places.releases).written("small.1")
    assert written is not None
    with closing(open_database(places.database)) as connection:  # the labels came after the champion was made
        connection.execute("UPDATE labels SET counts_since = ?", (int((written.timestamp() + 60) * 1e6),))
        connection.commit()
    return Retrained(places, Retrainer(Embedded(places)).run(if_needed=True))


def test_a_challenger_is_made_and_judged(retrained: Retrained) -> None:
    places, report = retrained.places, retrained.report
    assert report.outcome in {"challenger", "promoted"}
    assert report.triggers[0].endswith("new labels")
    assert report.version is not None
    assert report.gate is not None
    assert {each.name for each in report.gate.sets} == {"newest", "golden"}
    made = FolderRegistry(places.releases).open(report.version, trusted_keys(places))
    assert made.read("rules.yaml") == open_champion(places).read("rules.yaml")
    assert (report.outcome == "promoted") is report.gate.passed


def test_it_is_kept_beside_the_challenger_and_announced(retrained: Retrained) -> None:
    places, report = retrained.places, retrained.report
    assert report.version is not None
    assert report.gate is not None
    kept = Retraining.model_validate_json((places.models / "reports" / gate_file(report.version)).read_bytes())
    assert kept.gate == report.gate
    (event,) = events(places, GATED)
    assert event["data"]["version"] == report.version
    assert event["data"]["passed"] is report.gate.passed
    assert event["data"]["golden_sha256"] == report.golden_sha256
    assert [each["data"]["sha256"] for each in events(places, "golden.frozen")] == [report.golden_sha256]
    assert len(events(places, "release.challenged")) == 1


def test_not_again_at_once(retrained: Retrained) -> None:
    again = Retrainer(Embedded(retrained.places)).run(if_needed=True)
    assert again.outcome == "not_needed"
    assert len(events(retrained.places, GATED)) == 1


def test_the_shadow_of_the_challenger(retrained: Retrained, tmp_path: Path) -> None:
    shadow = retrained.report.shadow
    if shadow is None:  # the bank's time is long past
        champion = open_champion(retrained.places)
        assert champion.version in {"small.1", retrained.report.version}
    options = ["--data-dir", str(retrained.places.data), "--models", str(retrained.places.models)]
    result = CliRunner().invoke(app, ["retrain", "shadow", *options])
    assert result.exit_code == (1 if retrained.report.outcome == "promoted" else 0), result.output


def test_a_changed_golden_set_promotes_nobody(tmp_path: Path) -> None:
    places = installation(tmp_path)
    champion = open_champion(places)
    filled = fill(places, champion, bank(), CLIENT)
    asyncio.run(label(places, champion, filled.labels, CLIENT))
    freeze_simulated(Embedded(places), champion, customers=60, days=40)
    (places.data / FILE).write_bytes((places.data / FILE).read_bytes()[:-1] + b"x")
    options = ["--data-dir", str(places.data), "--models", str(places.models)]
    result = CliRunner().invoke(app, ["retrain", *options, "--json"])
    assert result.exit_code == 1
    assert "not the one that was frozen" in result.stderr
    assert pointer(FolderRegistry(places.releases)).version == "small.1"
    assert CliRunner().invoke(app, ["retrain", "golden", *options]).exit_code == 1  # not without --replace
    until = (START + timedelta(days=20)).date().isoformat()
    again = CliRunner().invoke(app, ["retrain", "golden", "--replace", "--until", until, *options])
    assert again.exit_code == 0, again.output


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    """It says so, makes nothing, and does not try again and again."""
    places = installation(tmp_path)
    fill(places, open_champion(places), bank(days=3), CLIENT)
    report = Retrainer(Embedded(places)).run(if_needed=False, now=NOW)
    assert report.outcome == "not_possible"
    assert "days of history" in report.reasons[0]
    assert not (places.data / FILE).exists()
    assert read(Embedded(places).report(RETRAINING)) == report
    options = ["--data-dir", str(places.data), "--models", str(places.models)]
    result = CliRunner().invoke(app, ["retrain", *options])
    assert (result.exit_code, "not possible" in result.stdout) == (0, True)


def test_one_at_a_time(tmp_path: Path) -> None:
    places = installation(tmp_path)
    with Embedded(places).alone(), pytest.raises(RetrainingError, match="under way"):
        Retrainer(Embedded(places)).run(if_needed=True)


def passed(places: Places) -> None:
    """The state after a crash between the gate and the promotion."""
    set_challenger(FolderRegistry(places.releases), "small.2", trusted_keys(places))
    gate = GateResult(passed=True, reasons=["cheaper"], sets=[])
    facts: dict[str, Any] = {"reasons": ["cheaper"], "champion": "small.1", "triggers": ["age"], "version": "small.2"}
    keep(Embedded(places), None, Retraining(at=NOW, outcome="challenger", gate=gate, **facts))


def test_what_ended_too_soon_is_finished(tmp_path: Path) -> None:
    places = installation(tmp_path)
    registry = FolderRegistry(places.releases)
    passed(places)
    assert Retrainer(Embedded(places)).run(if_needed=True, now=NOW).outcome == "promoted"
    assert pointer(registry).version == "small.2"
    assert len(events(places, "release.promoted")) >= 1
    roll_back(registry, trusted_keys(places), "ana")
    assert Retrainer(Embedded(places)).run(if_needed=True, now=NOW).outcome == "not_needed"  # a person took it back
    assert pointer(registry).version == "small.1"


def test_somebody_else_promoted_meanwhile(tmp_path: Path) -> None:
    places = installation(tmp_path)
    passed(places)
    promote(FolderRegistry(places.releases), FIRST, trusted_keys(places), "ana")
    assert Retrainer(Embedded(places)).run(if_needed=True, now=NOW).outcome == "not_needed"
    assert pointer(FolderRegistry(places.releases)).version == FIRST


@pytest.mark.parametrize("watched", [True, False])
def test_a_bad_champion_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: bool) -> None:
    """It declines whom the release before approves; unless its policy says that nobody looks."""
    places = installation(tmp_path)
    registry = FolderRegistry(places.releases)
    write(places.releases, "nervous", SMALL if watched else SMALL | {"watch": None}, nervous=True)
    monkeypatch.setattr("assay.release.pointer.now", lambda: int(START.timestamp() * 1e6))
    promote(registry, "nervous", trusted_keys(places), "ana")
    set_challenger(registry, "nervous", trusted_keys(places))
    assert roll_back_if_worse(Embedded(places), COSTS, START) == []  # it has decided nothing yet
    fill(places, open_champion(places), islice(bank(), 1_500), CLIENT)
    later = START + timedelta(hours=23)
    assert roll_back_if_worse(Embedded(places), COSTS, START + timedelta(hours=25)) == []  # too late
    reasons = roll_back_if_worse(Embedded(places), COSTS, later)
    if not watched:
        assert (reasons, pointer(registry).version) == ([], "nervous")
        return
    assert any(reason.startswith("DECLINE") for reason in reasons)
    assert pointer(registry).version == "small.1"
    assert challenger(registry) is None
    (event,) = events(places, "release.rolled_back")
    assert "worse than small.1" in event["data"]["why"]
    assert roll_back_if_worse(Embedded(places), COSTS, later) == []  # it is not taken back twice


def test_a_good_champion_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = installation(tmp_path)
    monkeypatch.setattr("assay.release.pointer.now", lambda: int(START.timestamp() * 1e6))
    promote(FolderRegistry(places.releases), "small.2", trusted_keys(places), "ana")
    fill(places, open_champion(places), islice(bank(), 1_500), CLIENT)
    assert roll_back_if_worse(Embedded(places), COSTS, START + timedelta(hours=2)) == []
