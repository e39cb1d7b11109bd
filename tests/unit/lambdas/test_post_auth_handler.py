import importlib
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assay.errors import RequestError, SettingsError, StorageError

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


def batch(*bodies: object) -> dict[str, Any]:
    """As Lambda polls it from SQS."""
    records = [
        {
            "messageId": f"message-{number}",
            "receiptHandle": "AQEB",
            "body": text,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795262400000"},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
            "awsRegion": "us-east-1",
        }
        for number, text in enumerate(bodies)
    ]
    return {"Records": records}


def failed(*numbers: int) -> dict[str, list[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in numbers]}


def load() -> ModuleType:
    sys.modules.pop(MODULE, None)
    return importlib.import_module(MODULE)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_ARCHIVE", str(tmp_path / "archive"))
    return tmp_path / "archive"


@pytest.fixture
def function(archive: Path) -> Iterator[ModuleType]:
    module = load()
    yield module
    module._loop.close()


def objects(archive: Path) -> list[Path]:
    return [path for path in archive.rglob("*") if path.is_file()]


def test_a_batch_becomes_one_object(function: ModuleType, archive: Path) -> None:
    assert function.handler(batch(*(body(f"t{n}") for n in range(10))), None) == NONE_FAILED
    assert len(objects(archive)) == 1
    assert function._loop.run_until_complete(function._store.count()) == 10


def test_a_batch_that_comes_again_changes_nothing(function: ModuleType, archive: Path) -> None:
    for event in (batch(body("a"), body("b")), batch(body("b"), body("a")), batch(body("a"), body("b"), body("b"))):
        assert function.handler(event, None) == NONE_FAILED
    assert len(objects(archive)) == 1


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


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_poison_fails_and_its_neighbours_are_recorded(function: ModuleType, archive: Path, poison: object) -> None:
    assert function.handler(batch(body("a"), poison, body("b")), None) == failed(1)
    assert len(objects(archive)) == 1
    assert function._loop.run_until_complete(function._store.count()) == 2


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
    assert function._loop.run_until_complete(function._store.count()) == 2


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
        {"requestContext": {"http": {"method": "POST"}}, "body": "{}"},
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


def test_no_archive_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_ARCHIVE", raising=False)
    with pytest.raises(SettingsError, match="ASSAY_ARCHIVE"):
        load()


def test_a_bucket_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ASSAY_ARCHIVE", "s3://bucket/prefix")
    with pytest.raises(StorageError):
        load().handler(batch(body("a")), None)


def test_nothing_slow_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_ARCHIVE", "s3://bucket/prefix")
    program = f"import sys, {MODULE}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    slow = {"botocore.session", "boto3", "aiobotocore", "numpy", "starlette", "cryptography", "aws_xray_sdk"}
    assert slow.isdisjoint(run.stdout.split())
