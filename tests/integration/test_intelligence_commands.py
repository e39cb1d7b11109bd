"""`assay drift` and `assay patterns` over a data folder and an archive, what they keep and announce, and the routes."""

import asyncio
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.intelligence import SqliteReportStore
from assay.adapters.sqlite.labels import SqliteLabelStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.schema import open_database
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.alerts.config import load_config
from assay.errors import StorageError
from assay.intelligence.archived import ArchivedDays
from assay.intelligence.day_tables import DayTables
from assay.intelligence.drift_report import DriftReport
from assay.intelligence.patterns_report import PatternReport
from assay.intelligence.reports import DRIFT, PATTERNS, ReportStore, StoredReport
from assay.intelligence.scored_history import ScoredHistory, archived_history
from assay.intelligence.scored_table import FEATURES
from assay.moments import microseconds
from assay.release import Release
from assay.schemas.event import Event
from assay.scored_event_archive import ScoredEventArchive
from functions.alerts.routing import Router
from functions.audit_log.recorder import read as read_entry
from functions.intelligence.labels import labels_before
from functions.intelligence.looking import Looker
from functions.post_auth_intelligence.events import read_recorded as read
from local.champion import open_champion
from local.cli import app
from local.intelligence import Intelligence, run_apart
from local.places import MODELS, Places
from tests.harness.identity import Town, run
from tests.harness.scored_rows import NOON, rows, with_values

RUNNER = CliRunner()


def bodies(release: Release, frame: pl.DataFrame) -> Iterator[bytes]:
    """As they are published. Every fifth account shares a phone with the four before it."""
    for number, row in enumerate(frame.iter_rows(named=True)):
        at = row["occurred_at"].isoformat()
        features = {name: None if row[name] != row[name] else row[name] for name in FEATURES}
        transaction = {"account_id": f"acct-{number % 900}", "device_id": f"phone-{number % 900 // 5}"}
        verdict = {
            "transaction_id": row["transaction_id"],
            "decided_at": at,
            "decision": row["decision"],
            "is_early_exit": False,
            "release": {"version": release.version, "hash": release.hash},
            "triggered_rules": [],
            **{name: row[name] for name in ("fraud_score", "if_score", "ae_error")},
        }
        head = {"event": "transaction.scored", "version": 1, "client_id": "shop", "occurred_at": at}
        yield json.dumps({**head, "features": features, "transaction": transaction, "verdict": verdict}).encode()


async def _keep(folder: Path, kept: list[bytes]) -> None:
    events = [read(body) for body in kept]
    ledger = SqliteLedger(folder / "assay.db")
    await SqliteScoredEventStore(ledger).record(events)
    await ledger.close()
    await ScoredEventArchive(FolderArchive(folder / "archive")).record(events)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine days; in the last two, amounts are three times as large."""
    place = tmp_path_factory.mktemp("intelligence")
    release = open_champion(Places(place))
    drifting = with_values(rows(release, 9_000, 9), NOON - timedelta(days=2), {"amount": pl.col("amount") * 3})
    asyncio.run(_keep(place, list(bodies(release, drifting))))
    return place


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy of it, for what changes something."""
    shutil.copy(folder / "assay.db", tmp_path)
    return tmp_path


def command(*arguments: str) -> Any:
    result = RUNNER.invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


def announced(folder: Path) -> list[Event]:
    with closing(open_database(folder / "assay.db")) as connection:
        found = connection.execute("SELECT body FROM outbox WHERE kind = 'drift.detected'").fetchall()
    return [Event.model_validate_json(body) for (body,) in found]


def test_the_data_folder_and_the_archive_say_the_same(folder: Path) -> None:
    of_folder = command("drift", "--data-dir", str(folder), "--json")
    of_archive = command("drift", "--archive", str(folder / "archive"), "--json")
    assert of_folder == of_archive
    report = DriftReport.model_validate_json(json.dumps(of_folder))
    assert "amount" in report.drifted
    assert report.events == 8_750  # up to the last step
    assert announced(folder) == []  # a look by hand changes nothing


def test_a_table_for_people(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")  # a narrow terminal cuts nothing
    shown = command("drift", "--data-dir", str(folder))
    assert all(told in shown for told in ("alarm", "amount", "reference")) and "…" not in shown


def test_another_moment(folder: Path) -> None:
    quiet = command("drift", "--data-dir", str(folder), "--until", "2026-11-18 00:00:00", "--json")
    assert quiet["at"].startswith("2026-11-18T00:00:00")
    assert "amount" not in quiet["drifted"]


def test_what_is_new_is_announced_once(own: Path) -> None:
    first = command("drift", "--data-dir", str(own), "--record", "--json")
    again = command("drift", "--data-dir", str(own), "--record", "--json")
    assert first == again
    (event,) = announced(own)
    assert "amount" in event.data["names"]  # type: ignore[operator]
    assert event.occurred_at.isoformat().replace("+00:00", "Z") == first["at"]


def test_alerts_and_the_audit_log_take_the_announcement(own: Path) -> None:
    command("drift", "--data-dir", str(own), "--record")
    (event,) = announced(own)
    config = load_config(b"routes: [{name: drift, when: [{events: [drift.detected]}], to: [duty@bank.example]}]")
    (alert,) = Router(config).alerts(event.to_json(), microseconds(event.occurred_at))
    assert "amount" in alert.alert.details
    entry = read_entry(event.to_json())
    assert (entry.kind, entry.id) == ("drift.detected", event.id)


def test_the_server_looks_in_a_process_beside_it(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[StoredReport | None, StoredReport | None]:
        ledger = SqliteLedger(own / "assay.db")
        server = Intelligence(own, MODELS, ledger, retrains=True)
        await server.look()
        kept = await server.store.newest(DRIFT), await server.store.newest(PATTERNS)
        await ledger.close()
        return kept

    kept = asyncio.run(scenario())
    assert None not in kept
    assert not caplog.records
    asyncio.run(run_apart("no-such-command"))
    assert "no-such-command" in caplog.text


def test_the_scheduled_look_over_an_archive(folder: Path, tmp_path: Path) -> None:
    """What runs on AWS, with stores of this machine: finds what the command finds, announces it, does it once."""

    async def scenario() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        reports, release = SqliteReportStore(ledger), open_champion(Places(tmp_path))
        history, labels = (
            archived_history(FolderArchive(folder / "archive")),
            partial(labels_before, SqliteLabelStore(ledger)),
        )
        looker = Looker(history, reports, labels, release)
        assert await looker.look(NOON) == {"drift": True, "patterns": True}
        assert await looker.look(NOON) == {"drift": False, "patterns": False}
        drift = await reports.newest(DRIFT)
        assert drift is not None
        found = DriftReport.model_validate_json(drift.body)
        assert "amount" in found.drifted
        assert found.events == 9_000
        (event,) = announced(tmp_path)
        assert "amount" in event.data["names"]  # type: ignore[operator]
        await ledger.close()

    asyncio.run(scenario())


LABELS = ("client_id,transaction_id,label,labelled_at", "shop,t-1-{n},fraud_confirmed,2026-11-21T12:00:00+02:00")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_labels_of_a_file(folder: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"labels.{kind}"
    (tmp_path / "labels.csv").write_text("\n".join([LABELS[0], *(LABELS[1].format(n=n) for n in range(8_000, 8_030))]))
    if kind == "parquet":
        pl.read_csv(tmp_path / "labels.csv", try_parse_dates=True).write_parquet(file)
    archive = ("--archive", str(folder / "archive"), "--labels", str(file), "--json")
    report = command("patterns", *archive)
    assert (report["based_on"], report["bad"]) == ("labels", 30)
    assert command("drift", *archive)["events"] == 8_750


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "client_id,transaction_id,label,labelled_at\nshop,t,fraud,2026-11-21T12:00:00Z\n",
        "client_id,transaction_id,label,labelled_at\nshop,t,legitimate,yesterday\n",
        "client_id,transaction_id,label,labelled_at\nshop,,legitimate,2026-11-21T12:00:00Z\n",
        None,
    ],
)
def test_labels_that_cannot_be_used(folder: Path, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "labels.csv"
    if text is not None:
        file.write_text(text)
    result = RUNNER.invoke(app, ["drift", "--archive", str(folder / "archive"), "--labels", str(file)])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "labels.csv" in result.stderr


class Breaking:
    """Reports, of which those of a kind cannot be kept."""

    def __init__(self, reports: ReportStore, kind: str) -> None:
        self._reports, self._kind = reports, kind
        self.newest = reports.newest

    async def replace(self, kind: str, *report: Any) -> bool:
        if kind == self._kind:
            raise StorageError("down")
        return await self._reports.replace(kind, *report)


def test_a_look_that_ends_in_the_middle_is_made_up_for(folder: Path, tmp_path: Path) -> None:
    """The days are read once for both reports, and once more for the one that was not kept."""

    async def scenario() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        reports, release, read = SqliteReportStore(ledger), open_champion(Places(tmp_path)), list[str]()
        archive = FolderArchive(folder / "archive")

        class Noting(DayTables):
            async def read(self, key: str, columns: Iterable[str]) -> pl.DataFrame | None:
                read.append(key)
                return await super().read(key, columns)

        history = ScoredHistory(ArchivedDays(archive), Noting(archive))
        labels = partial(labels_before, SqliteLabelStore(ledger))
        async for _ in history.frames():  # makes the tables
            pass
        read.clear()
        with pytest.raises(StorageError, match="down"):
            await Looker(history, Breaking(reports, PATTERNS), labels, release).look(NOON)
        assert (len(read), len(set(read))) == (9, 9)
        looker = Looker(history, reports, labels, release)
        assert await looker.look(NOON) == {DRIFT: False, PATTERNS: True}
        assert len(read) == 18
        assert await looker.look(NOON) == {DRIFT: False, PATTERNS: False}
        assert len(read) == 18
        assert len(announced(tmp_path)) == 1
        await ledger.close()

    asyncio.run(scenario())


def test_patterns_of_both(folder: Path) -> None:
    of_folder = command("patterns", "--data-dir", str(folder), "--json")
    assert of_folder == command("patterns", "--archive", str(folder / "archive"), "--json")
    report = PatternReport.model_validate_json(json.dumps(of_folder))
    assert report.based_on == "declines"
    assert report.looked_at["clusters"] == 180  # five accounts to a phone
    assert report.clusters == []  # and none of them worse than the others
    assert "declined" in command("patterns", "--data-dir", str(folder))


def test_patterns_are_kept_once_per_step(own: Path) -> None:
    recorded = command("patterns", "--data-dir", str(own), "--record", "--json")
    assert recorded == command("patterns", "--data-dir", str(own), "--record", "--json")


def test_nothing_scored_yet(tmp_path: Path) -> None:
    asyncio.run(_keep(tmp_path, []))
    for name in ("drift", "patterns"):
        for extra in ((), ("--record",)):
            assert "nothing has been scored yet" in command(name, "--data-dir", str(tmp_path), *extra)
            assert command(name, "--data-dir", str(tmp_path), "--json", *extra) is None


@pytest.mark.parametrize("name", ["drift", "patterns"])
def test_what_cannot_be_done_is_said(tmp_path: Path, name: str) -> None:
    nowhere = RUNNER.invoke(app, [name, "--data-dir", str(tmp_path / "nowhere")])
    assert (nowhere.exit_code, nowhere.stderr.count("\n")) == (1, 1)
    assert "nowhere/assay.db: there is no database" in nowhere.stderr
    assert RUNNER.invoke(app, [name, "--record", "--archive", str(tmp_path)]).exit_code == 2


def test_the_routes_give_the_newest_report(tmp_path: Path) -> None:
    async def scenario(town: Town) -> None:
        for kind in ("drift", "patterns"):
            path = f"/intelligence/{kind}"
            assert (await town.call("GET", path, headers=town.admin.bearer)).status_code == 404
            await town.embedded.intelligence.store.replace(kind, None, StoredReport(1, b'{"at": 1}'))
            answer = await town.call("GET", path, headers=town.admin.bearer)
            assert (answer.status_code, answer.json()) == (200, {"at": 1})

    run(tmp_path, scenario)
