"""The Lambda entry over moto: batches of the queue, the API's requests."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.errors import RequestError, SettingsError, StorageError
from assay.identity.scopes import Role
from assay.intelligence.reports import DRIFT, PATTERNS, StoredReport
from assay.moments import now
from functions.post_auth_intelligence.aws import MAX_ROWS
from local import tokens
from local.places import MODELS
from tests.contract.faults import Faults
from tests.contract.installations import AwsInstallation
from tests.harness.http_events import Answer, Call, Context, answer, http_api_2
from tests.harness.lambdas import batch, close, failed, load, token_settings
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, faults
from tests.template.outcomes import event as sample

MODULE = "functions.post_auth_intelligence.handler"
NONE_FAILED = {"batchItemFailures": []}


def body(transaction: str, **changes: object) -> str:
    event = {
        "event": "transaction.scored",
        "version": 1,
        "client_id": "shop",
        "occurred_at": "2026-11-21T12:00:00Z",
        "features": {"amount": 24.9, "new_device_flag": None},
        "amount_base": 24.9,
        "transaction": {"transaction_id": transaction, "account_id": "acct-secret"},
        "verdict": verdict(transaction),
    }
    return json.dumps(event | changes)


def verdict(transaction: str, **changes: object) -> dict[str, object]:
    release = {"version": "2026.11.1", "hash": "ab"}
    given = {"transaction_id": transaction, "decision": "DECLINE", "is_early_exit": True, "release": release}
    return {**given, "decided_at": "2026-11-21T12:00:00.123456Z", **changes}


def event(kind: str, data: dict[str, object], actor: str = "shop") -> str:
    """Of any other kind."""
    about = {"event": kind, "version": 1, "id": "evt_1", "client_id": actor, "occurred_at": "2026-11-21T12:00:00Z"}
    return json.dumps({**about, "data": data})


def labelled(transaction: str) -> str:
    return event("label.recorded", {"client_id": "shop", "transaction_id": transaction, "label": "any"}, "usr_ana")


def final(transaction: str, outcome: str = "failed") -> str:
    reason = f"step_up_{outcome}"
    return event("decision.final", {"transaction_id": transaction, "challenge_id": "chl_1", "reason": reason})


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The keys that tokens are signed with."""
    return tmp_path / "keys"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def environment(aws: AwsInstallation, keys: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The function's."""
    given = {
        **token_settings(keys, aws.tables["Identity"]),
        "ASSAY_RELEASES": str(MODELS / "releases"),
        "ASSAY_ARCHIVE": str(archive),
        "ASSAY_DECISIONS_TABLE": aws.tables["Decisions"],
        "ASSAY_PROFILE_TABLE": aws.tables["Profile"],
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


def decided(aws: AwsInstallation, transaction: str, decision: str = "DECLINE", at: int | None = None) -> None:
    """The decision as the orchestrator keeps it, and its place in the profile."""
    at = now() if at is None else at
    verdict = {"decision": decision, "fraud_score": 0.9, "triggered_rules": ["ip_botnet"]}
    tokens = {name: {"S": f"{name}-{transaction}"} for name in ("account", "device", "counterparty")}
    item = {
        "pk": {"S": f"D#shop#{transaction}"},
        "verdict": {"B": json.dumps(verdict).encode()},
        **{name: {"N": str(at)} for name in ("decided_at", "time", "arrival")},
        "amount": {"N": "1000000"},
        **tokens,
    }
    aws.api["dynamodb"].put_item(TableName=aws.tables["Decisions"], Item=item)


def objects(archive: Path) -> list[Path]:
    return [path for path in archive.rglob("*") if path.is_file()]


def recorded(function: ModuleType) -> int:
    """Scored events in the archive."""
    return int(function._loop.run_until_complete(function._function.scored.count()))


def standing(aws: AwsInstallation) -> set[str]:
    """What follows from labels."""
    return {item["pk"]["S"] for item in aws.items("Labels") if item["pk"]["S"].startswith("E#")}


def step_ups(aws: AwsInstallation) -> dict[str, str]:
    found = [item for item in aws.items("Labels") if item["sk"]["S"] == "S"]
    return {item["pk"]["S"]: item["outcome"]["S"] for item in found}


class Caller:
    """Somebody with a token."""

    def __init__(self, function: ModuleType, keys: Path, subject: str, scopes: tuple[str, ...], role: Role | None):
        ring = FolderSigningKeys(keys).read()
        self._function = function
        self._token = tokens.issuer().mint(ring, subject, scopes, 300, role=role)

    def __call__(
        self, method: str, path: str, body: bytes | None = None, media: str = "application/json", query: str = ""
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": media}
        return answer(self._function.handler(http_api_2(Call(method, path, body, headers, query)), Context()))

    def label(self, transaction: str, label: str, **more: str) -> Any:
        body = {"transaction_id": transaction, "label": label, **more}
        found = self("POST", "/feedback", json.dumps(body).encode())
        assert found.status == 200, found.content
        return found.json()["outcome"]


@pytest.fixture
def shop(function: ModuleType, keys: Path) -> Caller:
    return Caller(function, keys, "shop", tokens.SCOPES, None)


@pytest.fixture
def ana(function: ModuleType, keys: Path) -> Caller:
    return Caller(function, keys, "usr_ana", ("labels:write", "intelligence:read"), Role.ANALYST)


def test_a_batch_becomes_one_object(function: ModuleType, archive: Path) -> None:
    assert function.handler(batch(*(body(f"t{n}") for n in range(10))), None) == NONE_FAILED
    assert len(objects(archive)) == 1
    assert recorded(function) == 10


def test_a_batch_that_comes_again_changes_nothing(function: ModuleType, archive: Path, aws: AwsInstallation) -> None:
    a, b = body("a"), body("b")
    for event in (batch(a, b), batch(b, a), batch(a, b, b), batch(final("a")), batch(final("a", "passed"), final("a"))):
        assert function.handler(event, None) == NONE_FAILED
    assert len(objects(archive)) == 1
    assert step_ups(aws) == {"L#shop#a": "failed"}


def test_every_kind_in_one_batch(function: ModuleType, archive: Path, aws: AwsInstallation, shop: Caller) -> None:
    decided(aws, "a")
    assert shop.label("a", "fraud_confirmed") == "recorded"
    assert standing(aws) == set()
    assert function.handler(batch(body("a"), labelled("a"), labelled("unheard-of"), final("a")), None) == NONE_FAILED
    assert recorded(function) == 1
    assert standing(aws) == {"E#deny#device#device-a"}
    assert step_ups(aws) == {"L#shop#a": "failed"}


POISON = {
    "empty": "",
    "not JSON": "{",
    "null": "null",
    "a list": "[]",
    "an empty object": "{}",
    "S3 test event": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}),
    "SNS envelope": json.dumps({"Type": "Notification", "MessageId": "1", "Message": body("p")}),
    "another event": body("p", event="login.recorded"),
    "version 2": body("p", version=2),
    "version as text": body("p", version="1"),
    "no client": body("p", client_id=None),
    "unknown decision": body("p", verdict=verdict("p", decision="MAYBE")),
    "no zone": body("p", verdict=verdict("p", decided_at="2026-11-21T12:00:00")),
    "before time": body("p", verdict=verdict("p", decided_at="0001-01-01T00:00:00+14:00")),
    "time as a number": body("p", verdict=verdict("p", decided_at=1795262400)),
    "half a character": body("p", client_id="\ud800"),
    "half a character in the message": "\ud800",
    "nested without end": "[" * 100_000,
    "no text": None,
    "a number": 12,
}


OF_OTHERS = {
    "another event's name": event("challenge.failed", {"transaction_id": "p"}),
    "a label of nothing": event("label.recorded", {}),
    "a label of no client": event("label.recorded", {"transaction_id": "p"}),
    "a step-up without an outcome": final("p", "tried"),
    "a step-up of nothing": event("decision.final", {"reason": "step_up_failed"}),
}
"""What other functions can read."""


@pytest.mark.parametrize("poison", [*POISON.values(), *OF_OTHERS.values()], ids=[*POISON, *OF_OTHERS])
def test_poison_fails_and_its_neighbours_are_recorded(function: ModuleType, archive: Path, poison: object) -> None:
    assert function.handler(batch(body("a"), poison, body("b")), None) == failed(1)
    assert len(objects(archive)) == 1
    assert recorded(function) == 2


def test_a_message_without_a_body_is_poison(function: ModuleType) -> None:
    event = batch(body("a"), body("b"))
    del event["Records"][0]["body"]
    assert function.handler(event, None) == failed(0)


def test_nothing_but_poison(function: ModuleType, archive: Path) -> None:
    assert function.handler(batch("1", "2", "3"), None) == failed(0, 1, 2)
    assert objects(archive) == []


def test_no_messages(function: ModuleType, archive: Path) -> None:
    assert function.handler({"Records": []}, None) == NONE_FAILED
    assert objects(archive) == []


def test_an_archive_that_is_down_fails_the_whole_batch(function: ModuleType, archive: Path) -> None:
    archive.write_bytes(b"in the way")
    event = batch(body("a"), "poison", body("b"))
    with pytest.raises(StorageError):
        function.handler(event, None)
    archive.unlink()
    assert function.handler(event, None) == failed(1)
    assert recorded(function) == 2


@pytest.mark.parametrize(
    "event",
    [
        None,
        "garbage",
        [],
        {},
        {"Service": "Amazon S3", "Event": "s3:TestEvent"},
        {"Records": None},
        {"Records": {}},
        {"Records": "abc"},
        {"Records": [None]},
        {"Records": [{"body": "no id"}]},
        {"Records": [{"messageId": 1, "body": "{}"}]},
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{}"}}]},
        {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}},
    ],
    ids=str,
)
def test_what_is_no_batch_is_refused(function: ModuleType, archive: Path, event: object) -> None:
    with pytest.raises(RequestError, match="not a batch of SQS messages"):
        function.handler(event, None)
    assert objects(archive) == []
    assert function.handler(batch(body("a")), None) == NONE_FAILED


def test_the_counts_are_published(function: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    function.handler(batch(body("a"), "poison", body("b")), None)
    function.handler(batch(body("c")), None)
    published = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(counts["recorded"], counts["poison"]) for counts in published] == [([2.0], [1.0]), ([1.0], [0.0])]
    for counts in published:
        assert counts["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Assay"
        assert counts["service"] == "post_auth_intelligence"


def test_the_log_names_the_message_and_nothing_it_holds(
    function: ModuleType, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    function.handler(batch(body("a", version=2), body("a", client_id=12), "acct-secret", body("\ud800")), None)
    output = "".join([caplog.text, *capsys.readouterr()])
    assert output.count("poison: ") == 4
    assert "message-0" in output
    assert "acct-secret" not in output
    assert "Traceback" not in output


NEEDED = (
    *("JWKS", "TOKEN_ISSUER", "IDENTITY_TABLE", "RELEASES", "ARCHIVE", "DECISIONS_TABLE", "PROFILE_TABLE"),
    *("LABELS_TABLE", "OUTBOX_TABLE", "EVENTS_TOPIC"),
)


def test_without_its_environment_the_function_does_not_start(environment: pytest.MonkeyPatch) -> None:
    for name in NEEDED:
        with environment.context() as patch:
            patch.delenv(f"ASSAY_{name}")
            with pytest.raises(SettingsError, match=f"ASSAY_{name}"):
                load(MODULE)


def test_a_bucket_that_cannot_be_reached(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    environment.setenv("ASSAY_ARCHIVE", "s3://bucket/prefix")
    function = load(MODULE)
    with pytest.raises(StorageError):
        function.handler(batch(body("a")), None)
    close(function)


def test_nothing_slow_is_imported(environment: pytest.MonkeyPatch) -> None:
    program = f"import sys, {MODULE}; print(*sys.modules)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], env={**os.environ}, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    slow = {"boto3", "numpy", "polars", "starlette", "mangum", "sqlite3", "argon2", "moto", "typer", "aws_xray_sdk"}
    assert loaded & slow == set()


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "TransactWriteItems", "UpdateItem"])
def test_nothing_is_lost_while_the_tables_do_not_answer(
    function: ModuleType, aws: AwsInstallation, shop: Caller, broken: Faults, operation: str
) -> None:
    """A crash in the middle: the batch comes again, and what it had done before is done once."""
    decided(aws, "a")
    shop.label("a", "fraud_confirmed")
    event = batch(body("a"), final("a"), labelled("a"))
    broken.add(operation, "throttled")
    with pytest.raises(StorageError):
        function.handler(event, None)
    broken.clear()
    assert function.handler(event, None) == NONE_FAILED
    assert (recorded(function), step_ups(aws)) == (1, {"L#shop#a": "failed"})
    assert standing(aws) == {"E#deny#device#device-a"}


def test_a_label_is_announced_and_followed_and_unlearnt(
    function: ModuleType, aws: AwsInstallation, shop: Caller, ana: Caller
) -> None:
    decided(aws, "a")
    assert [shop.label("a", "fraud_confirmed") for _ in range(2)] == ["recorded", "unchanged"]
    ((told, attributes),) = aws.published()
    assert attributes["event"] == "label.recorded"
    assert function.handler(batch(told.decode()), None) == NONE_FAILED
    assert standing(aws) == {"E#deny#device#device-a"}
    assert ana.label("a", "false_positive", client_id="shop") == "recorded"
    assert function.handler(batch(told.decode(), told.decode()), None) == NONE_FAILED
    assert standing(aws) == {"E#trust#account#account-a"}
    assert aws.items("Outbox") == []


def test_a_step_up_is_shown_and_no_label(
    function: ModuleType, aws: AwsInstallation, shop: Caller, ana: Caller, keys: Path
) -> None:
    decided(aws, "a", "CHALLENGE")
    assert shop("GET", "/feedback/a").status == 404
    function.handler(batch(final("a", "expired")), None)
    shown = shop("GET", "/feedback/a").json()
    assert (shown["label"], shown["opinions"]) == (None, [])
    assert shown["step_up"] == {"outcome": "expired", "at": "2026-11-21T12:00:00Z"}
    assert ana("GET", "/intelligence/rules").json()["labelled"] == 0
    assert standing(aws) == set()
    other = Caller(function, keys, "bank", tokens.SCOPES, None)
    assert other("GET", "/feedback/a").status == 404
    shop.label("a", "legitimate")
    shown = ana("GET", "/feedback/a", query="client_id=shop").json()
    assert (shown["label"], shown["step_up"]["outcome"]) == ("legitimate", "expired")


def test_a_file_of_labels_and_one_that_is_too_long(function: ModuleType, aws: AwsInstallation, shop: Caller) -> None:
    decided(aws, "a")
    header = b"transaction_id,label\n"
    found = shop("POST", "/feedback/import", header + b"a,legitimate\nb,legitimate\n\n", "text/csv")
    assert (found.status, found.json()["recorded"], found.json()["refused"]) == (200, 1, 1)
    assert shop("POST", "/feedback/import", header + b"b,legitimate\n" * MAX_ROWS, "text/csv").status == 200
    refused = shop("POST", "/feedback/import", header + b"a,fraud_confirmed\n" * (MAX_ROWS + 1), "text/csv")
    assert (refused.status, str(MAX_ROWS) in refused.json()["detail"]) == (413, True)
    assert shop("GET", "/feedback/a").json()["label"] == "legitimate"


def test_who_may_do_what_over_http(function: ModuleType, aws: AwsInstallation, shop: Caller, ana: Caller) -> None:
    decided(aws, "a")
    assert {shop("GET", f"/intelligence/{what}").status for what in ("rules", "drift", "patterns")} == {403}
    assert answer(function.handler(http_api_2(Call("GET", "/feedback/a")), Context())).status == 401
    assert ana("POST", "/feedback", b'{"transaction_id":"a","label":"legitimate"}').status == 422
    assert ana("GET", "/feedback", query="limit=5").json() == {"labels": [], "next": None}
    assert ana("GET", "/nothing").status == 404


def test_tables_that_do_not_answer_are_a_503(
    function: ModuleType, aws: AwsInstallation, shop: Caller, broken: Faults
) -> None:
    decided(aws, "a")
    assert shop("GET", "/feedback/a").status == 404
    broken.add("GetItem", "unavailable")
    assert shop("GET", "/feedback/a").status == 503
    assert shop("POST", "/feedback", b'{"transaction_id":"a","label":"legitimate"}').status == 503


def test_events_do_not_wait_for_the_keys_of_tokens(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ASSAY_JWKS", "s3://nowhere-at-all/jwks.json")
    function = load(MODULE)
    assert function.handler(batch(body("a")), None) == NONE_FAILED
    with pytest.raises(SettingsError):
        function.handler(http_api_2(Call("GET", "/feedback/a")), Context())
    close(function)


def test_the_routes_show_the_newest_reports(function: ModuleType, ana: Caller) -> None:
    assert ana("GET", "/intelligence/drift").status == 404
    for kind in (DRIFT, PATTERNS):
        kept = function._function.reports.replace(kind, None, StoredReport(1, b'{"level":"ok"}'))
        assert function._loop.run_until_complete(kept)
        assert ana("GET", f"/intelligence/{kind}").json() == {"level": "ok"}


def test_another_release_brings_its_policy(function: ModuleType) -> None:
    made = function._function
    before = made.feedback.limits
    made.feedback.limits = made.effects.policy = before.model_copy(update={"per_person_and_day": 1})
    for prepare in function._champion._followers:
        prepare(function._champion.current())()
    assert made.feedback.limits == made.effects.policy == before


def test_every_sample_event_gives_what_is_expected(function: ModuleType, aws: AwsInstallation, keys: Path) -> None:
    decided(aws, "sample-genuine-1")
    token = tokens.mint(keys, "shop", tokens.SCOPES, 600)
    files = [file for file in EXPECTED if file.startswith("post_auth_intelligence/")]
    outcomes = {file: outcome(function.handler, sample(file, token)) for file in files}
    assert [fault for file, found in outcomes.items() for fault in faults(file, found)] == []
    assert step_ups(aws) == {"L#shop#sample-none": "failed"}
