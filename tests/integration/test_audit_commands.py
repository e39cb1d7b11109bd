"""`assay audit verify`, `assay audit show`, `assay replay-decision`, over a log that the pipeline itself has filled."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assay.adapters.local.archive import FolderArchive
from assay.adapters.sqlite.audit import SqliteAuditAnchorStore
from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.audit.chain import PREFIX
from assay.audit.reading import Record, lines, parse
from assay.errors import ReleaseError, StageUnavailable, StorageError
from assay.features.rates import Rates
from assay.features.transaction import Transaction
from assay.geoip import GEOIP
from assay.schemas.base import FeatureValue
from assay.schemas.event import Event
from assay.schemas.geoip import GeoIpResult
from assay.stage_client import StageClient
from functions.audit_log.recorder import AuditLog
from functions.orchestrator.intake import read_transaction
from functions.orchestrator.pipeline import Pipeline, Settings
from local.audit.records import shown
from local.audit.redecide import Redecider, recorded_release
from local.champion import open_champion
from local.cli import app
from local.inline_stages import inline_stages
from local.places import Places
from local.relay import Relay
from tests.harness.audit import objects
from training.simulator import START, SimulatedTransaction, as_request, simulate

COUNT = 200
EVENTS = Path(__file__).parents[2] / "events"


class SometimesGone(SqliteProfileStore):
    """Cannot be read for every ninth transaction."""

    asked = 0

    async def observe(self, client_id: str, transaction: Transaction) -> dict[str, FeatureValue]:
        self.asked += 1
        if self.asked % 9 == 0:
            raise StorageError("gone")
        return await super().observe(client_id, transaction)


def sometimes_out(name: str, handler: Any, every: int) -> Any:
    """The stage, but for every so many requests."""
    asked = 0

    def handle(request: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked % every == 0:
            raise StageUnavailable(name, "out")
        return handler(request)

    return handle


async def fill(places: Places, count: int) -> None:
    """Scores simulated transactions and samples, some of them without a part, and records them."""
    places.data.mkdir(exist_ok=True)
    release = open_champion(places)
    handlers = inline_stages(release)
    every = {"rules_engine": 11, "isolation_forest": 7, "autoencoder": 13, "xgboost_classifier": 5}
    flaky = {name: sometimes_out(name, handlers[name], number) for name, number in every.items()}
    ledger = SqliteLedger(places.database)
    settings = Settings.of(release, 60_000)
    looked_up = {GEOIP.name: lambda _: GeoIpResult(country="FR", network="192.0.2.0/24", known=True)}
    pipeline = Pipeline(
        StageClient({**handlers, **flaky, **looked_up}), SometimesGone(ledger), SqliteDecisionStore(ledger), settings
    )
    log = AuditLog(FolderArchive(places.audit), SqliteAuditAnchorStore(ledger))
    outbox = SqliteOutbox(ledger, [log.name])
    await outbox.open()
    rates, now = Rates.load(release.read("rates.yaml")), START + timedelta(days=365)
    simulated = (event for event in simulate(5, 60, 60) if isinstance(event, SimulatedTransaction))
    requests = [as_request(event) for event in islice(simulated, count)]
    for request in requests[::4]:
        request.pop("geo_country", None)
    bodies = [json.dumps(request).encode() for request in requests]
    bodies += [path.read_bytes() for path in sorted(EVENTS.glob("score_*.json"))]
    flat = json.loads((EVENTS / "score_flat_genuine.json").read_bytes())
    flat.pop("transaction_id", None)
    bodies.append(json.dumps(flat).encode())
    for number, body in enumerate(bodies):
        await pipeline.score(read_transaction(body, "shop", rates, now), explain=number % 3 == 0)
        if number % 20 == 0:
            promoted = Event.now("release.promoted", "usr_1", version=release.version).to_json()
            await ledger.commits.commit([(INSERT_EVENT, (promoted, "release.promoted"))])
    await Relay(outbox, [log]).drain()
    await ledger.close()


async def all_records(places: Places) -> list[Record]:
    archive = FolderArchive(places.audit)
    keys = await archive.keys(PREFIX)
    return [parse(line) for key in keys for line in lines(key, await archive.get(key) or b"", None)]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    places = Places(tmp_path_factory.mktemp("installation"))
    asyncio.run(fill(places, COUNT))
    return places


@pytest.fixture(scope="module")
def everything(places: Places) -> list[Record]:
    return asyncio.run(all_records(places))


@pytest.fixture(scope="module")
def records(everything: list[Record]) -> list[Record]:
    """The decisions."""
    return [record for record in everything if record.kind == "transaction.scored"]


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_every_decision_is_made_again_equally(places: Places, records: list[Record]) -> None:
    redecider = Redecider(recorded_release(places, records[0]))
    differing = {record.id: found for record in records if (found := redecider.differences(record))}
    assert differing == {}
    assert len(records) >= COUNT + 6
    degraded = [tuple(record.event["verdict"]["degraded"]) for record in records]
    assert {(), ("profile",), ("rules_engine",), ("xgboost_classifier",)} <= set(degraded)
    assert {record.event["verdict"]["decision"] for record in records} == {"APPROVE", "CHALLENGE", "DECLINE"}
    assert any(record.event["stand_in_usage"]["count"] for record in records)
    assert any("geoip" in record.event and "profile" in record.event["verdict"]["degraded"] for record in records)


def test_the_stand_in_usage_on_record_matters(places: Places, records: list[Record]) -> None:
    """Without it in the event, a stand-in approval or its refusal could not be decided again."""
    redecider = Redecider(recorded_release(places, records[0]))
    changed = 0
    for record in records:
        if record.event["verdict"]["degraded"] and record.event["verdict"]["decision"] == "APPROVE":
            event = {**record.event, "stand_in_usage": {"count": 1_000, "amount": 1e9}}
            changed += "decision" in redecider.differences(replace(record, event=event))
    assert changed > 0


def test_another_verdict_on_record_is_a_difference(places: Places, records: list[Record]) -> None:
    record = records[0]
    verdict = {**record.event["verdict"], "decision": "DECLINE", "fraud_score": 0.5}
    found = Redecider(recorded_release(places, record)).differences(
        replace(record, event={**record.event, "verdict": verdict})
    )
    assert set(found) == {"decision", "fraud_score"}


def test_a_release_of_another_hash_does_not_decide(places: Places, records: list[Record]) -> None:
    event = json.loads(json.dumps(records[0].event))
    event["verdict"]["release"]["hash"] = "0" * 64
    with pytest.raises(ReleaseError, match="decided"):
        recorded_release(places, replace(records[0], event=event))


def test_the_commands_over_a_whole_log(places: Places, everything: list[Record]) -> None:
    code, output = command("audit", "verify", "--data-dir", places.data, "--json")
    facts = json.loads(output)
    assert (code, facts["whole"], facts["anchored"], facts["records"]) == (0, True, True, len(everything))
    assert command("audit", "verify", places.audit)[0] == 0
    code, output = command("audit", "show", "sample-risky-1", "--data-dir", places.data)
    shown = json.loads(output)
    assert code == 0 and shown["event"]["verdict"]["transaction_id"] == "sample-risky-1"
    assert datetime.fromisoformat(shown["recorded_at"]).tzinfo == UTC
    code, output = command("replay-decision", "sample-risky-1", "--data-dir", places.data)
    assert code == 0 and output.startswith("equal: ")
    code, output = command("replay-decision", "sample-risky-1", "--data-dir", places.data, "--json")
    assert code == 0 and json.loads(output)["equal"] is True


def test_what_an_operator_did_is_shown_by_its_id_and_is_no_decision(places: Places, everything: list[Record]) -> None:
    promoted = [record for record in everything if record.kind == "release.promoted"]
    assert len(promoted) > 5
    code, output = command("audit", "show", promoted[3].id, "--data-dir", places.data)
    assert code == 0 and json.loads(output) == json.loads(shown(promoted[3]))
    assert command("audit", "show", promoted[3].id, "--client", "shop", "--data-dir", places.data)[0] == 1
    assert command("replay-decision", promoted[3].id, "--data-dir", places.data)[0] == 1


@pytest.mark.parametrize("name", ["show", "replay-decision"])
def test_a_transaction_that_is_not_there(places: Places, tmp_path: Path, name: str) -> None:
    words = ("audit", "show") if name == "show" else (name,)
    assert command(*words, "nobody", "--data-dir", places.data)[0] == 1
    assert command(*words, "sample-risky-1", "--client", "other", "--data-dir", places.data)[0] == 1
    assert command(*words, "sample-risky-1", "--data-dir", tmp_path / "nowhere")[0] == 1


def test_verify_says_when_there_is_nothing_and_when_there_is_no_anchor(places: Places, tmp_path: Path) -> None:
    assert command("audit", "verify", tmp_path / "nowhere")[0] == 1
    assert command("audit", "verify", tmp_path)[0] == 1
    copied = tmp_path / "copy"
    for path in objects(places.audit)[:1]:
        (copied / path.parent.name).mkdir(parents=True)
        (copied / path.parent.name / path.name).write_bytes(path.read_bytes())
    code, output = command("audit", "verify", copied)
    assert code == 0 and "without an anchor" in output
    next(copied.rglob("*.gz")).write_bytes(b"")
    code, output = command("audit", "verify", copied)
    assert code == 1 and "broken at record 1" in output


def test_a_decline_is_explained_by_what_would_have_changed_it(places: Places, records: list[Record]) -> None:
    whole = [record.event["verdict"] for record in records if not record.event["verdict"]["degraded"]]
    chosen = {verdict["decision"]: verdict for verdict in whole}
    for decision, verdict in chosen.items():
        code, output = command("explain", verdict["transaction_id"], "--data-dir", places.data, "--json")
        assert code == 0, output
        answer = json.loads(output)
        assert answer["decision"] == decision
        assert (answer["counterfactual"] is not None) == (decision == "DECLINE")
        assert command("explain", verdict["transaction_id"], "--data-dir", places.data)[1].startswith(decision)
    assert chosen.keys() == {"APPROVE", "CHALLENGE", "DECLINE"}
    assert command("explain", "nobody", "--data-dir", places.data)[0] == 1
