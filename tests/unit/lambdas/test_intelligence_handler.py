"""The Lambda entry over moto: the hourly look over an archive and the labels."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from assay.adapters.local.archive import FolderArchive
from assay.errors import RequestError, SettingsError, StorageError
from assay.features.windows import DAY
from assay.intelligence.drift_report import DriftReport
from assay.intelligence.reports import DRIFT, PATTERNS
from assay.moments import microseconds, moment, now
from assay.scored_event_archive import ScoredEventArchive
from functions.post_auth_intelligence.events import read_recorded
from local.places import MODELS
from tests.contract.faults import Faults
from tests.contract.installations import AwsInstallation
from tests.harness.lambdas import close, load
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, event, faults

MODULE = "functions.intelligence.handler"
SCHEDULE = event("intelligence/schedule.json")
SAMPLE = json.loads(event("post_auth_intelligence/batch.json")["Records"][0]["body"])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Twenty events of the day before yesterday."""
    at = moment(now() - 2 * DAY).isoformat()
    events = [
        SAMPLE | {"occurred_at": at, "verdict": SAMPLE["verdict"] | {"transaction_id": f"t{n}", "decided_at": at}}
        for n in range(20)
    ]
    read = [read_recorded(json.dumps(each).encode()) for each in events]
    asyncio.run(ScoredEventArchive(FolderArchive(tmp_path / "archive")).record(read))
    return tmp_path / "archive"


@pytest.fixture
def environment(aws: AwsInstallation, archive: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The function's."""
    given = {
        "ASSAY_RELEASES": str(MODELS / "releases"),
        "ASSAY_ARCHIVE": str(archive),
        "ASSAY_LABELS_TABLE": aws.tables["Labels"],
        "ASSAY_OUTBOX_TABLE": aws.tables["Outbox"],
        "ASSAY_EVENTS_TOPIC": aws.topic,
    }
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    return monkeypatch


@pytest.fixture
def function(environment: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    module = load(MODULE)
    yield module
    close(module)


def kept(function: ModuleType) -> DriftReport | None:
    stored = function._loop.run_until_complete(function._function.reports.newest(DRIFT))
    return None if stored is None else DriftReport.model_validate_json(stored.body)


def test_the_schedule_looks_once_a_step(function: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept(function) is None
    first, again = (function.handler(SCHEDULE, None) for _ in range(2))
    assert first == {DRIFT: True, PATTERNS: True}
    assert again in ({DRIFT: False, PATTERNS: False}, first)  # a step may have ended in between
    assert [json.loads(line)["Looks"] for line in capsys.readouterr().out.splitlines()] == [[1.0], [1.0]]
    report = kept(function)
    assert report is not None
    assert (report.events, microseconds(report.at) <= now()) == (20, True)


@pytest.mark.parametrize("operation", ["GetItem", "Query", "TransactWriteItems"])
def test_a_look_that_fails_is_not_counted_and_made_up_for(
    function: ModuleType, broken: Faults, capsys: pytest.CaptureFixture[str], operation: str
) -> None:
    broken.add(operation, "unavailable")
    with pytest.raises(StorageError):
        function.handler(SCHEDULE, None)
    assert "Looks" not in capsys.readouterr().out
    broken.clear()
    assert function.handler(SCHEDULE, None) == {DRIFT: True, PATTERNS: True}


def test_without_its_environment_the_function_does_not_start(environment: pytest.MonkeyPatch) -> None:
    for name in ("RELEASES", "ARCHIVE", "LABELS_TABLE", "OUTBOX_TABLE", "EVENTS_TOPIC"):
        with environment.context() as patch:
            patch.delenv(f"ASSAY_{name}")
            with pytest.raises(SettingsError, match=f"ASSAY_{name}"):
                load(MODULE)


@pytest.mark.parametrize("garbage", [None, [], "", {}, {"Records": []}, {"detail-type": "Other"}], ids=str)
def test_what_is_no_run_of_the_schedule_is_refused(function: ModuleType, garbage: object) -> None:
    with pytest.raises(RequestError):
        function.handler(garbage, None)


def test_every_sample_event_gives_what_is_expected(function: ModuleType) -> None:
    files = [file for file in EXPECTED if file.startswith("intelligence/")]
    outcomes = {file: outcome(function.handler, event(file)) for file in files}
    assert [fault for file, found in outcomes.items() for fault in faults(file, found)] == []
