"""The audit log's Lambda entry over moto: batches of the queue, and the API's requests."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest

from assay.errors import RequestError, SettingsError, StorageError
from assay.identity.scopes import Role
from assay.schemas.event import Event
from local import tokens
from local.audit.verify import prove
from local.aws import resources
from tests.contract.installations import create_table
from tests.harness.http_events import Answer, Call, Context, answer, http_api_2
from tests.harness.lambdas import batch, close, failed, load, token_settings
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, event, faults
from tests.unit.lambdas.test_post_auth_handler import POISON, body

MODULE = "functions.audit_log.handler"
NONE_FAILED = {"batchItemFailures": []}
OF_OTHERS = {"another event", "unknown decision", "no zone", "before time", "time as a number"}
"""Poison to who looks further into a scored event; recorded, for that is what the audit log is there for."""
FORGED = {name: text for name, text in POISON.items() if name not in OF_OTHERS} | {
    "an id that is none": body("p q"),
    "a client that is none": body("p", client_id="a#b"),
    "an operator's event of another version": json.dumps({"event": "user.logged_in", "version": 2}),
    "an operator's event without a time": json.dumps({"event": "a.b", "version": 1, "id": "i", "client_id": "c"}),
    "an operator's event with more": Event.now("user.logged_in", "usr_1").to_json().decode()[:-1] + ',"more":1}',
}


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its name, which the anchor's table has too."""
    name = f"audit-{uuid4().hex[:12]}"
    api = resources.client("dynamodb", endpoint)
    for table, own in (("AuditAnchorTable", name), ("IdentityTable", f"{name}-identity")):
        create_table(api, table, own)
    resources.client("s3", endpoint).create_bucket(Bucket=name)
    settings = {
        "ASSAY_AUDIT": f"s3://{name}",
        "ASSAY_AUDIT_ANCHOR_TABLE": name,
        **token_settings(tmp_path / "keys", f"{name}-identity"),
        "AWS_ENDPOINT_URL": endpoint,
        **resources.CREDENTIALS,
    }
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    return name


@pytest.fixture
def function(bucket: str) -> Iterator[ModuleType]:
    module = load(MODULE)
    yield module
    close(module)


def records(bucket: str) -> int:
    proof = prove(f"s3://{bucket}", show=False, anchor_table=bucket)
    assert proof.whole, proof.broken
    assert proof.anchor == proof.head
    return proof.records


def test_batches_are_recorded_once_in_one_chain(function: ModuleType, bucket: str) -> None:
    operator = Event.now("user.logged_in", "usr_1", role="admin").to_json().decode()
    for given in (
        batch(*(body(f"t{n}") for n in range(90))),
        batch(body("t3"), operator, body("t90"), operator, body("t89")),
        batch(operator, body("t90")),
    ):
        assert function.handler(given, None) == NONE_FAILED
    assert records(bucket) == 92
    assert prove(f"s3://{bucket}", show=False).objects == 2


def test_more_than_a_transaction_may_hold(function: ModuleType, bucket: str) -> None:
    assert function.handler(batch(*(body(f"t{n}") for n in range(250))), None) == NONE_FAILED
    assert records(bucket) == 250


@pytest.mark.parametrize("poison", FORGED.values(), ids=FORGED)
def test_poison_fails_and_its_neighbours_are_recorded(function: ModuleType, bucket: str, poison: object) -> None:
    assert function.handler(batch(body("a"), poison, body("b")), None) == failed(1)
    assert records(bucket) == 2


def test_nothing_but_poison_and_nothing_at_all(function: ModuleType, bucket: str) -> None:
    assert function.handler(batch("1", "2"), None) == failed(0, 1)
    assert function.handler({"Records": []}, None) == NONE_FAILED
    assert prove(f"s3://{bucket}", show=False, anchor_table=bucket).records == 0


def test_a_store_that_is_down_fails_the_whole_batch(
    function: ModuleType, bucket: str, endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    event = batch(body("a"), "poison", body("b"))
    api = resources.client("dynamodb", endpoint)
    shape = api.describe_table(TableName=bucket)["Table"]
    api.delete_table(TableName=bucket)
    with pytest.raises(StorageError, match="audit anchor"):
        function.handler(event, None)
    known = {key: shape[key] for key in ("AttributeDefinitions", "KeySchema", "TableName")}
    api.create_table(BillingMode="PAY_PER_REQUEST", **known)
    assert function.handler(event, None) == failed(1)
    assert records(bucket) == 2


def test_two_processes_share_one_log(function: ModuleType, bucket: str) -> None:
    other = load(MODULE)
    for number in range(3):
        for each in (function, other):
            assert each.handler(batch(body(f"t{number}"), body(f"{each is other}-{number}")), None) == NONE_FAILED
    assert records(bucket) == 9
    close(other)


@pytest.mark.parametrize(
    "event", [None, "garbage", [], {}, {"Records": None}, {"Records": [{"body": "no id"}]}], ids=str
)
def test_what_is_neither_is_refused(function: ModuleType, bucket: str, event: object) -> None:
    with pytest.raises(RequestError, match="not a batch of SQS messages"):
        function.handler(event, None)
    assert function.handler(batch(body("a")), None) == NONE_FAILED


def test_the_counts_are_published_and_the_log_names_no_content(
    function: ModuleType, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    function.handler(batch(body("a"), body("b", version=7)), None)
    (line,) = capsys.readouterr().out.splitlines()
    counts = json.loads(line)
    assert (counts["service"], counts["recorded"], counts["poison"]) == ("audit_log", [1.0], [1.0])
    assert "message-1 is poison" in caplog.text
    assert "acct-secret" not in caplog.text


class Caller:
    """Asks the API's routes of a function."""

    def __init__(self, function: ModuleType, keys: Path) -> None:
        self._function = function
        self._keys = keys

    def get(
        self, path: str, query: str = "", client: str = "shop", scopes: str = "audit:read", role: Role | None = None
    ) -> Answer:
        if role is None:
            token = tokens.mint(self._keys, client, tuple(scopes.split()), 600)
        else:
            ring = tokens.FolderSigningKeys(self._keys).read()
            token = tokens.issuer().mint(ring, client, tuple(scopes.split()), 600, session="s-1", role=role)
        call = Call("GET", path, headers={"Authorization": f"Bearer {token}"}, query=query)
        return answer(self._function.handler(http_api_2(call), Context()))


@pytest.fixture
def caller(function: ModuleType, tmp_path: Path) -> Caller:
    function.handler(batch(body("a"), body("b"), body("a", client_id="other")), None)
    return Caller(function, tmp_path / "keys")


def test_the_head_is_that_of_the_log(caller: Caller, bucket: str) -> None:
    found = caller.get("/audit/head")
    head = prove(f"s3://{bucket}", show=False).head
    assert (found.status, found.json()) == (200, {"sequence": 3, "hash": head.hash})


def test_a_client_reads_its_own_records_and_a_person_any(caller: Caller) -> None:
    own = caller.get("/audit/records/a")
    assert (own.status, own.json()["sequence"], own.json()["client_id"]) == (200, 1, "shop")
    assert own.json()["event"]["verdict"]["transaction_id"] == "a"
    assert caller.get("/audit/records/a", "client_id=shop", client="other").json()["client_id"] == "other"
    assert caller.get("/audit/records/b", client="other").status == 404
    lead = {"client": "usr_1", "role": Role.LEAD}
    assert caller.get("/audit/records/a", "client_id=other", **lead).json()["sequence"] == 3
    assert caller.get("/audit/records/a", "client_id=nobody", **lead).status == 404
    unnamed = caller.get("/audit/records/a", **lead)
    assert (unnamed.status, unnamed.json()["errors"][0]["field"]) == (422, "client_id")


@pytest.mark.parametrize("id_", ["never", "%00", "a%23b", "x" * 5_000, "%ed%a0%80", "a%0a", "HEAD"])
def test_what_is_not_recorded_is_not_found(caller: Caller, id_: str) -> None:
    assert caller.get(f"/audit/records/{id_}").status == 404


def test_the_routes_are_closed(caller: Caller, function: ModuleType) -> None:
    for path in ("/audit/head", "/audit/records/a"):
        assert caller.get(path, scopes="decisions:read").status == 403
        assert answer(function.handler(http_api_2(Call("GET", path)), Context())).status == 401
    assert caller.get("/audit/others").status == 404


def test_what_cannot_be_read_is_a_problem(caller: Caller, bucket: str, endpoint: str) -> None:
    api, s3 = resources.client("dynamodb", endpoint), resources.client("s3", endpoint)
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.put_object(Bucket=bucket, Key=entry["Key"], Body=b"something else")
    assert caller.get("/audit/records/a").status == 503
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    assert caller.get("/audit/records/a").status == 503
    assert caller.get("/audit/head").status == 200
    api.delete_table(TableName=bucket)
    refused = caller.get("/audit/head")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")


def test_the_sample_events_give_what_is_expected(function: ModuleType, bucket: str, tmp_path: Path) -> None:
    token = tokens.mint(tmp_path / "keys", "samples", tokens.SCOPES, 600)
    files = [file for file in EXPECTED if file.startswith("audit_log/")]
    found = {file: outcome(function.handler, event(file, token)) for file in files}
    assert [fault for file in files for fault in faults(file, found[file])] == []
    assert records(bucket) == 4


def test_without_the_keys_of_tokens_it_records_all_the_same(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_JWKS", str(tmp_path / "none.json"))
    function = load(MODULE)
    assert function.handler(batch(body("a")), None) == NONE_FAILED
    with pytest.raises(SettingsError, match="ASSAY_JWKS"):
        Caller(function, tmp_path / "keys").get("/audit/head")
    assert records(bucket) == 1
    close(function)


@pytest.mark.parametrize("name", ["ASSAY_AUDIT", "ASSAY_AUDIT_ANCHOR_TABLE", "ASSAY_JWKS", "ASSAY_IDENTITY_TABLE"])
def test_a_setting_that_is_missing_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=name):
        load(MODULE)


def test_the_queue_waits_for_nothing_that_only_requests_need(bucket: str) -> None:
    program = f"import sys, {MODULE}; print(*sys.modules)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True
    )
    slow = {"starlette", "mangum", "jwt", "cryptography", "boto3", "numpy", "sqlite3"}
    assert slow.isdisjoint(run.stdout.split())
