"""The trainer's entry over moto: from "not needed" to a champion, what ends in the middle, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from polars.testing import assert_frame_equal
from pydantic import TypeAdapter

from assay.adapters.archives import open_archive
from assay.adapters.aws.objects import Store, open_store
from assay.adapters.sqlite.schema import open_database
from assay.errors import ReleaseError, RequestError, StorageError
from assay.features.windows import DAY
from assay.labels.records import Label, Labelling, Opinion, Subject
from assay.moments import microseconds
from assay.release.bucket import BucketRegistry
from assay.release.folder import FolderRegistry
from assay.release.pointer import CHAMPION
from assay.release.registry import challenger, pointer, promote, roll_back, set_challenger
from assay.scored_event_archive import ScoredEventArchive
from functions.post_auth_intelligence.events import read_recorded
from functions.trainer import golden, run
from functions.trainer.opening import open_installation
from functions.trainer.report import GATED
from local.aws import resources
from local.champion import open_champion
from local.demo.backfill import fill
from local.history import scored_table
from local.places import Places
from local.retraining.installation import Embedded
from tests.contract.installations import PATIENT_S, AwsInstallation
from tests.contract.installations import run as complete
from tests.harness.http_events import Context
from tests.harness.lambdas import load
from tests.harness.retraining import CLIENT, KEY, SMALL, START, bank, installation, write
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, event, faults
from training import report_html
from training.retraining.gate import GateResult
from training.retraining.golden import CONTEXT, FILE, SIGNATURE, Sealed
from training.settings import Settings

SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
DAYS = 38
NOW = START + timedelta(days=DAYS)
NOW_TRAIN = {"if_needed": False}
LABELLING = TypeAdapter(Labelling)
PERIOD = 30 * DAY
ENOUGH = 3
"""Every third label lets a training begin."""


@dataclass(frozen=True)
class Bank:
    """What every test begins with, made once: a month in an archive, releases in a folder, frauds with their labels."""

    places: Places
    archive: str
    labels: list[Subject]
    golden: Sealed


@pytest.fixture(scope="module")
def a_bank(tmp_path_factory: pytest.TempPathFactory, moto_endpoint: str) -> Bank:
    places = installation(tmp_path_factory.mktemp("bank"))
    found = fill(places, open_champion(places), bank(DAYS), CLIENT)
    rows = scored_table(places, columns=["transaction_id", "occurred_at", "decided_at"])
    times = {id_: (microseconds(at), microseconds(decided)) for id_, at, decided in rows.iter_rows()}
    labels = [
        Subject(CLIENT, one.transaction_id, *times[one.transaction_id], "APPROVE", 0.5, ()) for one in found.labels
    ]
    frozen = golden.freeze_simulated(Embedded(places), open_champion(places), customers=80, days=40)
    signature = KEY.sign(CONTEXT + hashlib.sha256(frozen.body).digest())  # the embedded installation has its own key
    return Bank(places, archived(moto_endpoint, places), labels, Sealed(frozen.body, signature))


def archived(endpoint: str, places: Places) -> str:
    """The scored events of a data folder as a function would have put them into a bucket."""
    bucket = f"archive-{uuid4()}"
    resources.client("s3", endpoint).create_bucket(Bucket=bucket)
    with closing(open_database(places.database)) as connection:
        bodies: list[bytes] = [body for (body,) in connection.execute("SELECT body FROM scored_events")]
    with pytest.MonkeyPatch.context() as patch:
        environment(patch, endpoint)
        store = ScoredEventArchive(open_archive(f"s3://{bucket}"))
        complete(lambda: store.record([read_recorded(body) for body in bodies]))
        complete(lambda: store.record([read_recorded(body) for body in bodies[:500]]))  # once more, in other company
    return f"s3://{bucket}"


def environment(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        patch.setenv(name, "us-east-1")
    patch.setenv("AWS_ENDPOINT_URL", endpoint)


@dataclass
class World:
    """One installation on AWS, its clock at the end of the month."""

    aws: AwsInstallation
    registry: BucketRegistry
    training: Store
    module: ModuleType
    patch: pytest.MonkeyPatch

    def run(self, given: object = SCHEDULE, left_ms: int = 900_000) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(json.dumps(self.module.handler(given, Context(left_ms))))
        return answer

    def champion(self) -> str:
        return pointer(self.registry).version

    def label(self, subjects: list[Subject]) -> None:
        """As the labels' store keeps them, each counting from a minute after the champion was made."""
        written = self.registry.written("small.1")
        assert written is not None
        counts = microseconds(written) + 60_000_000
        items = []
        for subject in subjects:
            opinion = Opinion(Label.FRAUD_CONFIRMED, "ana", counts, subject.decided_at + DAY, counts_since=counts)
            record = LABELLING.dump_json(Labelling(subject, 1, (opinion,))).decode()
            place = f"{subject.decided_at:016d}#{subject.client_id}#{subject.transaction_id}"
            items.append(
                {"pk": {"S": f"D#{subject.decided_at // PERIOD}"}, "sk": {"S": place}, "record": {"S": record}}
            )
        for start in range(0, len(items), 25):
            puts = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self.aws.api["dynamodb"].batch_write_item(RequestItems={self.aws.tables["Labels"]: puts})

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Of everything committed: kind and data, each once, by when it was."""
        bodies = {body["id"]: body for body in map(json.loads, complete(self.aws.announced))}
        return [(body["event"], body["data"]) for body in bodies.values()]

    def train_at_once(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """In the place of a training: the champion's files under another version; something else happens meanwhile.

        Nothing passes the gate, and nothing is looked at in the shadow.
        """

        def train_on(_history: object, _labels: object, settings: Settings, out: Path, *_: object) -> SimpleNamespace:
            meanwhile()
            return SimpleNamespace(folder=write(out, settings.version, SMALL))

        self.patch.setattr(run, "train_on", train_on)
        self.patch.setattr(report_html, "report", lambda _: "<html>")
        self.patch.setattr(run, "judge", lambda *_: GateResult(passed=False, reasons=["no better"], sets=[]))
        self.patch.setattr(run, "ReleaseScorer", lambda _: SimpleNamespace(score=lambda *_: None))
        self.patch.setattr(run, "JudgedSet", lambda *_: None)
        self.patch.setattr(run, "served", lambda *_: None)


def pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def world(aws: AwsInstallation, a_bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    s3, bucket = resources.client("s3", aws.endpoint), f"releases-{uuid4()}"
    s3.create_bucket(Bucket=bucket)
    secrets = resources.client("secretsmanager", aws.endpoint)
    secret = secrets.create_secret(Name=f"release-key-{uuid4()}", SecretString=pem(KEY))["ARN"]
    given = {
        "ASSAY_ARCHIVE": a_bank.archive,
        "ASSAY_RELEASES": f"s3://{bucket}/releases",
        "ASSAY_TRAINING": f"s3://{bucket}/training",
        "ASSAY_RELEASE_KEY": f"secretsmanager:{secret}",
        "ASSAY_MEMORY_MB": "3538",
        "ASSAY_LABELS_TABLE": aws.tables["Labels"],
        "ASSAY_OUTBOX_TABLE": aws.tables["Outbox"],
        "ASSAY_EVENTS_TOPIC": aws.topic,
    }
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("assay.release.bucket.FETCH_S", PATIENT_S)
    monkeypatch.setattr("functions.trainer.opening.MODELS", a_bank.places.models)
    monkeypatch.setattr("assay.moments.now", lambda: microseconds(NOW))
    registry = BucketRegistry(given["ASSAY_RELEASES"])
    for version in ("small.1", "small.2"):
        registry.add(a_bank.places.releases / version)
    promote(registry, "small.1", [KEY.public_key()])
    training = open_store(given["ASSAY_TRAINING"])
    training.put(SIGNATURE, a_bank.golden.signature)
    training.put(FILE, a_bank.golden.body)
    module = load("functions.trainer.handler")
    yield World(aws, registry, training, module, monkeypatch)
    module._loop.close()


class Killed(BaseException):
    """What no handler of errors sees, as when the process is gone."""


def test_from_not_needed_to_a_champion(world: World, a_bank: Bank) -> None:
    """Without labels nothing calls for it. With them it trains; killed before the promotion, the next run promotes."""
    assert world.run()["outcome"] == "not_needed"
    assert world.aws.items("Labels") == []
    world.label(a_bank.labels)
    judged: list[GateResult] = []

    def lenient(*given: Any) -> GateResult:
        judged.append(judge(*given))
        return judged[0].model_copy(update={"passed": True})

    judge = run.judge
    world.patch.setattr(run, "judge", lenient)
    with world.patch.context() as patch, pytest.raises(Killed):
        patch.setattr(run, "promote", killed)
        world.run()
    assert world.champion() == "small.1"
    assert [(each.name, each.frauds > 0) for each in judged[0].sets] == [("newest", True), ("golden", True)]
    made = challenger(world.registry)
    assert made is not None
    report = json.loads(bytes(world.training.get(f"reports/{made.version}.gate.json").bytes()))
    assert report["shadow"]["events"] > 1_000
    assert report["triggers"][0].endswith("new labels")
    assert b"<html" in bytes(world.training.get(f"reports/{made.version}.html").bytes())

    answer = world.run()
    assert (answer["outcome"], answer["version"], world.champion()) == ("promoted", made.version, made.version)
    assert world.registry.open(made.version, [KEY.public_key()]).read("rules.yaml")
    kinds = [kind for kind, _ in world.events()]
    for kind in ("release.challenged", GATED, "release.promoted"):
        assert kinds.count(kind) == (2 if kind == "release.promoted" else 1), kind  # small.1 is told of too
    assert world.run()["outcome"] == "not_needed"  # it rests

    roll_back(world.registry, [KEY.public_key()], "ana")
    assert world.run()["outcome"] == "not_needed"
    assert world.champion() == "small.1"


def killed(*_: object, **__: object) -> None:
    raise Killed


def test_both_installations_give_the_same(world: World, a_bank: Bank) -> None:
    """Of the same events, twice in the archive: what is learnt from, and what the champion decided."""
    places, loop, undo = a_bank.places, world.module._loop, AsyncExitStack()
    here, there = Embedded(places), loop.run_until_complete(open_installation(world.module._settings, undo))
    try:
        champion, since = open_champion(places).hash, NOW - timedelta(days=9)
        for found, expected in (
            (there.history(DAYS), here.history(DAYS).filter(pl.col("occurred_at") >= START)),
            (there.history(5, since), here.history(5, since)),
            (there.decided_by(champion, since), here.decided_by(champion, since)),
        ):
            assert len(expected) > 100
            assert_frame_equal(found, expected.select(found.columns), check_row_order=False)
            assert found["occurred_at"].is_sorted()
        assert there.decided_by("another", since).is_empty()
        world.label(a_bank.labels)
        labels = there.labels(START)
        assert sorted(labels["transaction_id"]) == sorted(one.transaction_id for one in a_bank.labels)
        assert (labels["known_at"] > labels["labelled_at"]).all()
    finally:
        loop.run_until_complete(undo.aclose())


def test_two_at_once(world: World, a_bank: Bank) -> None:
    """The second runs from beginning to end while the first trains: its report stands, the first is told so."""
    world.label(a_bank.labels[::ENOUGH])
    seen: list[str] = []

    def second() -> None:
        if not seen:
            seen.append("began")
            seen.append(world.run(NOW_TRAIN)["version"])

    world.train_at_once(second)
    with pytest.raises(StorageError, match="another report was kept meanwhile"):
        world.run(NOW_TRAIN)
    named = challenger(world.registry)
    assert (named.version if named else world.champion()) == seen[1]
    assert [kind for kind, _ in world.events()].count(GATED) == 1


def test_too_little_time(world: World, a_bank: Bank) -> None:
    """It says so and rests, instead of being cut off each hour."""
    world.label(a_bank.labels[::ENOUGH])
    found = world.run(left_ms=100_000)
    assert found["outcome"] == "not_possible"
    assert "no time for isolation forest" in found["reasons"][0]
    assert world.registry.versions() == ["small.1", "small.2"]
    assert "next after" in world.run()["reasons"][0]


def test_more_history_than_fits(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.patch.setattr("functions.trainer.aws.LOADED_MB", 3_536)
    found = world.run(NOW_TRAIN)
    assert found["outcome"] == "not_possible"
    assert "days of history" in found["reasons"][0]
    assert "too many to train on" in caplog.text


def test_the_golden_set_is_frozen_once_and_not_changed_after(world: World, a_bank: Bank) -> None:
    world.patch.setattr(golden, "freeze_simulated", partial(golden.freeze_simulated, customers=60, days=20))
    world.train_at_once()
    world.training.delete(FILE)  # as a freezing leaves it that ended too soon
    world.label(a_bank.labels[::ENOUGH])
    digest = world.run(NOW_TRAIN)["golden_sha256"]
    body = bytes(world.training.get(FILE).bytes())
    world.training.put(FILE, body[:-1] + b"x")
    with pytest.raises(Exception, match="not the one that was frozen"):
        world.run(NOW_TRAIN)
    assert digest != a_bank.golden.sha256
    frozen = [data["sha256"] for kind, data in world.events() if kind == "golden.frozen"]
    assert frozen == [digest]
    world.training.delete(SIGNATURE)
    with pytest.raises(Exception, match=SIGNATURE):
        world.run(NOW_TRAIN)


def test_a_golden_set_of_own_history(world: World, a_bank: Bank) -> None:
    """Frozen where the history is, of those days only, told of, and judged by from then on; not by mistake."""
    world.label(a_bank.labels)
    until = START + timedelta(days=20)
    asked = {"until": f"{until:%Y-%m-%d}", "days": 15}
    with pytest.raises(Exception, match="there is a golden set"):
        world.run({"golden": asked})
    for given in ({"until": "2020-01-01", "days": 2}, {"until": "0001-03-01", "days": 2}):
        with pytest.raises(Exception, match=f"nothing was scored in the 2 days before {given['until']}"):
            world.run({"golden": given | {"replace": True}})
    with pytest.raises(Exception, match="no calendar has 30 days before 0001-01-02"):
        world.run({"golden": {"until": "0001-01-02"}})
    assert bytes(world.training.get(FILE).bytes()) == a_bank.golden.body

    digest = world.run({"golden": asked | {"replace": True}})["golden_sha256"]
    found = pl.read_parquet(bytes(world.training.get(FILE).bytes()))
    assert until - timedelta(days=15) <= found["occurred_at"].min() < found["occurred_at"].max() < until
    frauds = found.filter("is_fraud")["transaction_id"].to_list()
    assert frauds
    assert set(frauds) <= {one.transaction_id for one in a_bank.labels}
    told = [data for kind, data in world.events() if kind == "golden.frozen"]
    assert [(data["sha256"], data["rows"], data["frauds"]) for data in told] == [(digest, len(found), len(frauds))]
    world.train_at_once()
    assert world.run(NOW_TRAIN)["golden_sha256"] == digest


def test_the_challenger_in_the_shadow(world: World) -> None:
    with pytest.raises(Exception, match="there is no challenger"):
        world.run({"shadow": True})
    set_challenger(world.registry, "small.2", [KEY.public_key()])
    found = world.run({"shadow": True})["shadow"]
    assert (found["served"], found["shadow"]) == ("small.1", "small.2")
    assert found["events"] > 1_000


def test_a_bad_champion_is_taken_back(world: World, tmp_path: Path, moto_endpoint: str, a_bank: Bank) -> None:
    places = installation(tmp_path)
    made = write(places.releases, "nervous", SMALL, nervous=True)
    promote(FolderRegistry(places.releases), "nervous", [KEY.public_key()])
    fill(places, open_champion(places), islice(bank(), 1_500), CLIENT)
    world.patch.setenv("ASSAY_ARCHIVE", archived(moto_endpoint, places))
    world.patch.setattr("assay.release.pointer.now", lambda: microseconds(START))
    world.patch.setattr("assay.moments.now", lambda: microseconds(START) + 23 * 3_600_000_000)
    world.registry.add(made)
    promote(world.registry, "nervous", [KEY.public_key()])
    world.module = load("functions.trainer.handler")
    assert world.run()["outcome"] == "rolled_back"
    assert world.champion() == "small.1"
    (why,) = [data["why"] for kind, data in world.events() if kind == "release.rolled_back"]
    assert "worse than small.1" in why
    assert world.run()["outcome"] == "not_needed"


@pytest.mark.parametrize("key", ["", "not a key", pem(Ed25519PrivateKey.generate())])
def test_a_key_that_nobody_trusts(world: World, key: str) -> None:
    """Before any work."""
    secret = world.module._settings.release_key.removeprefix("secretsmanager:")
    resources.client("secretsmanager", world.aws.endpoint).put_secret_value(SecretId=secret, SecretString=key or " ")
    with pytest.raises(ReleaseError, match=r"the trainer's (secret|key)"):
        world.run(NOW_TRAIN)
    assert world.events() == []


def test_no_secret(world: World) -> None:
    secret = world.module._settings.release_key.removeprefix("secretsmanager:")
    api = resources.client("secretsmanager", world.aws.endpoint)
    api.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    with pytest.raises(StorageError, match="a secret"):
        world.run()


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "now",
        {},
        {"if_needed": "false"},
        {"if_needed": False, "x": 1},
        {"Records": []},
        [[]] * 9,
        {"shadow": False},
        {"golden": {}},
        {"golden": {"until": "2026-02-30"}},
        {"golden": {"until": "2026-02-03", "days": 0}},
        {"shadow": True, "if_needed": True},
    ],
)
def test_garbage(world: World, given: object) -> None:
    with pytest.raises(RequestError, match="neither a run of the schedule"):
        world.run(given)


def test_the_samples_give_what_they_should(world: World) -> None:
    """The installation of the samples has scored next to nothing, so that nothing can be learnt."""
    world.patch.setattr("functions.trainer.aws.LOADED_MB", 3_537)
    files = [file for file in EXPECTED if file.startswith("trainer/")]
    assert len(files) == 8
    found = {file: outcome(lambda given, _: world.run(given), event(file)) for file in files}
    assert [fault for file in files for fault in faults(file, found[file])] == []


def test_no_champion_in_the_registry(world: World) -> None:
    store = open_store(world.module._settings.releases)
    store.delete(CHAMPION)
    with pytest.raises(ReleaseError, match="CHAMPION: not found"):
        world.run()


def test_a_registry_that_is_not_there(world: World) -> None:
    world.patch.setenv("ASSAY_RELEASES", "s3://nobody/releases")
    world.module = load("functions.trainer.handler")
    with pytest.raises(ReleaseError):
        world.run()
