"""The Lambda entry of events for clients over moto: batches of the queue, runs of the schedule, the API's requests."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.errors import RequestError, SettingsError, StorageError
from assay.identity.scopes import CLIENT_SCOPES, Role
from local import tokens
from local.aws import resources
from tests.contract.installations import create_table
from tests.harness.client_events import Receiver, event, receiving
from tests.harness.http_events import Answer, Call, Context, answer, http_api_2
from tests.harness.lambdas import batch, close, failed, load, token_settings
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, faults
from tests.template.outcomes import event as sample
from tests.unit.lambdas.test_post_auth_handler import POISON

MODULE = "functions.client_events.handler"
NONE_FAILED = {"batchItemFailures": []}
SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
LONG = 60_000


class Place:
    """The function's tables, topic and key, and its environment."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        name = f"client-events-{uuid4().hex[:12]}"
        self.keys = folder / "keys"
        self.dynamodb = resources.client("dynamodb", endpoint)
        self.tables = {table: f"{table}-{name}" for table in ("ClientEventsTable", "OutboxTable", "IdentityTable")}
        for table, own in self.tables.items():
            create_table(self.dynamodb, table, own)
        topic = resources.client("sns", endpoint).create_topic(Name=name)["TopicArn"]
        secrets = resources.client("secretsmanager", endpoint)
        key = secrets.create_secret(Name=name, SecretString="k3Y" * 21 + "x")["ARN"]
        self.environment = {
            **token_settings(self.keys, self.tables["IdentityTable"]),
            "ASSAY_CLIENT_EVENTS_TABLE": self.tables["ClientEventsTable"],
            "ASSAY_OUTBOX_TABLE": self.tables["OutboxTable"],
            "ASSAY_EVENTS_TOPIC": topic,
            "ASSAY_INSTALLATION_KEY": f"secretsmanager:{key}",
            "ASSAY_ALLOW_LOCAL_WEBHOOKS": "true",
            "AWS_ENDPOINT_URL": endpoint,
            **resources.CREDENTIALS,
        }

    def items(self) -> str:
        """All of the function's table, as text."""
        return str(self.dynamodb.scan(TableName=self.tables["ClientEventsTable"])["Items"])


@pytest.fixture
def place(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(endpoint, tmp_path)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for variable, value in made.environment.items():
        monkeypatch.setenv(variable, value)
    return made


@pytest.fixture
def function(place: Place) -> Iterator[ModuleType]:
    module = load(MODULE)
    yield module
    close(module)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def frozen(*numbers: int) -> dict[str, Any]:
    return batch(*(event(n).decode() for n in numbers))


def call(function: ModuleType, place: Place, method: str, path: str, body: Any = None, **options: Any) -> Answer:
    ring = FolderSigningKeys(place.keys).read()
    client, role = options.get("client", "shop"), options.get("role")
    token = tokens.issuer().mint(ring, client, options.get("scopes", CLIENT_SCOPES), 300, role=role)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    given = Call(method, path, content, headers, options.get("query", ""))
    return answer(function.handler(http_api_2(given), Context(LONG)))


def feed(function: ModuleType, place: Place, client: str = "shop") -> list[tuple[int, str]]:
    found = call(function, place, "GET", "/events", client=client).json()["events"]
    return [(each["sequence"], each["id"]) for each in found]


def subscribe(function: ModuleType, place: Place, url: str) -> dict[str, str]:
    made = call(function, place, "POST", "/webhooks", {"url": url, "events": "all"})
    assert made.status == 201, made.content
    return dict(made.json())


def test_a_batch_goes_into_the_feeds_of_those_it_concerns_once(function: ModuleType, place: Place) -> None:
    theirs = event(9, "decision.final", "bank").decode()
    for given in (batch(event(1).decode(), theirs, event(2).decode()), frozen(2, 1), frozen(1, 3, 3)):
        assert function.handler(given, Context(LONG)) == NONE_FAILED
    assert feed(function, place) == [(1, "evt_shop_1"), (2, "evt_shop_2"), (3, "evt_shop_3")]
    assert feed(function, place, "bank") == [(1, "evt_bank_9")]
    assert feed(function, place, "thief") == []
    named = call(function, place, "GET", "/events", client="usr_1", role=Role.VIEWER, query="client_id=bank&after=0")
    assert [each["id"] for each in named.json()["events"]] == ["evt_bank_9"]


def test_a_batch_is_pushed_in_the_same_invocation(function: ModuleType, place: Place, receiver: Receiver) -> None:
    made = subscribe(function, place, receiver.url)
    assert made["secret"] not in place.items()
    assert function.handler(frozen(1, 2), Context(LONG)) == NONE_FAILED
    assert sorted(receiver.ids()) == ["evt_shop_1", "evt_shop_2"]
    for headers, body in receiver.requests:
        assert Webhook(made["secret"]).verify(body, headers)["type"] == "account.frozen"
    assert function.handler(SCHEDULE, Context(LONG)) == {"attempts": 0}
    (shown,) = call(function, place, "GET", "/webhooks").json()["webhooks"]
    assert (shown["status"], shown["last_failure_at"]) == ("active", None)
    assert shown["last_success_at"] is not None


def test_what_was_not_taken_is_tried_again_by_the_schedule(
    function: ModuleType, place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(function, place, receiver.url)
    monkeypatch.setattr("functions.client_events.delivery.WAITS_S", (0,) * 7)
    receiver.statuses = [503]
    assert function.handler(frozen(1), Context(14_000)) == NONE_FAILED  # no time is left
    assert function.handler(SCHEDULE, Context(14_000)) == {"attempts": 0}
    assert receiver.ids() == []
    assert function.handler(SCHEDULE, Context(LONG)) == {"attempts": 2}
    assert receiver.ids() == ["evt_shop_1"] * 2


def test_a_secret_can_be_changed_and_a_webhook_removed(function: ModuleType, place: Place, receiver: Receiver) -> None:
    made = subscribe(function, place, receiver.url)
    new = call(function, place, "POST", f"/webhooks/{made['id']}/secret").json()["secret"]
    function.handler(frozen(1), Context(LONG))
    for secret in (made["secret"], new):
        Webhook(secret).verify(receiver.requests[0][1], receiver.requests[0][0])
    assert call(function, place, "DELETE", f"/webhooks/{made['id']}", client="thief").status == 404
    assert call(function, place, "DELETE", f"/webhooks/{made['id']}").status == 204
    function.handler(frozen(2), Context(LONG))
    assert receiver.ids() == ["evt_shop_1"]


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_poison_fails_and_its_neighbours_are_recorded(function: ModuleType, place: Place, poison: object) -> None:
    given = batch(event(1).decode(), poison, event(2).decode())
    assert function.handler(given, Context(LONG)) == failed(1)
    assert [name for _, name in feed(function, place)] == ["evt_shop_1", "evt_shop_2"]


@pytest.mark.parametrize("given", [None, [], {}, "x", {"Records": {}}, {"Records": [{}]}, {"detail-type": "Other"}])
def test_what_is_nothing_of_ours(function: ModuleType, given: object) -> None:
    with pytest.raises(RequestError):
        function.handler(given, Context(LONG))


def test_a_key_that_is_not_there_fails_no_batch(
    place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    function = load(MODULE)
    subscribe(function, place, receiver.url)
    close(function)
    monkeypatch.setenv("ASSAY_INSTALLATION_KEY", "secretsmanager:nothing")
    function = load(MODULE)
    assert function.handler(frozen(1), Context(LONG)) == NONE_FAILED
    assert "events wait for the schedule" in caplog.text
    with pytest.raises(StorageError, match="ResourceNotFoundException"):
        function.handler(SCHEDULE, Context(LONG))
    assert feed(function, place) == [(1, "evt_shop_1")]
    assert call(function, place, "POST", "/webhooks", {"url": receiver.url, "events": "all"}).status == 503
    close(function)


def test_a_table_that_is_not_there_fails_the_batch(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CLIENT_EVENTS_TABLE", "nowhere")
    function = load(MODULE)
    for given in (frozen(1), SCHEDULE):
        with pytest.raises(StorageError):
            function.handler(given, Context(LONG))
    assert call(function, place, "GET", "/events").status == 503
    close(function)


def test_on_private_addresses_only_where_it_is_allowed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_ALLOW_LOCAL_WEBHOOKS", "false")
    function = load(MODULE)
    for url in ("http://127.0.0.1:9/", "https://127.0.0.1:8443/", "https://localhost/", "https://10.0.0.8/"):
        refused = call(function, place, "POST", "/webhooks", {"url": url, "events": "all"})
        assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "url")
    close(function)


@pytest.mark.parametrize("variable", ["ASSAY_CLIENT_EVENTS_TABLE", "ASSAY_EVENTS_TOPIC", "ASSAY_INSTALLATION_KEY"])
def test_without_its_environment_the_function_does_not_start(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError, match=variable):
        load(MODULE)


def test_recording_does_not_wait_for_the_keys_of_tokens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_JWKS", "s3://nowhere-at-all/jwks.json")
    function = load(MODULE)
    assert function.handler(frozen(1), Context(LONG)) == NONE_FAILED
    with pytest.raises(SettingsError):
        function.handler(http_api_2(Call("GET", "/events")), Context(LONG))
    close(function)


def test_the_log_names_the_message_and_nothing_it_holds(
    function: ModuleType, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="assay")
    caplog.set_level(logging.DEBUG, logger="functions")
    secret = event(1, account_id="acct-secret").decode().replace('"version": 1, "id"', '"version": 2, "id"')
    function.handler(batch(secret, "acct-secret", event(2, client="a#acct-secret").decode()), Context(LONG))
    output = "".join([caplog.text, *capsys.readouterr()])
    assert output.count("poison: ") == 3
    assert "acct-secret" not in output


def test_nothing_slow_is_imported(place: Place) -> None:
    program = f"import sys, {MODULE}; print(*sys.modules)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], env={**os.environ}, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert loaded & {"boto3", "numpy", "polars", "starlette", "mangum", "sqlite3", "argon2", "moto", "jwt"} == set()


def test_the_sample_events_give_what_is_expected(function: ModuleType, place: Place) -> None:
    token = tokens.mint(place.keys, "shop", CLIENT_SCOPES, 300)
    files = [file for file in EXPECTED if file.startswith("client_events/")]
    assert [fault for file in files for fault in faults(file, outcome(function.handler, sample(file, token)))] == []
    assert len(files) == 16
