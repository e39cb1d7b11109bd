"""The alerts' Lambda entry over moto: batches of the queue, runs of the schedule, the API's requests."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.alerts.config import AlertsError
from assay.alerts.records import Filter, Listed, State
from assay.errors import RequestError, SettingsError, StorageError
from assay.identity.scopes import Role
from local import tokens
from local.aws import resources
from tests.contract.installations import create_table
from tests.harness.alerts import happened, scored
from tests.harness.http_events import Answer, Call, Context, answer, http_api_2
from tests.harness.lambdas import batch, close, failed, load, token_settings
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, faults
from tests.template.outcomes import event as sample
from tests.unit.lambdas.test_post_auth_handler import POISON, body

MODULE = "functions.alerts.handler"
NONE_FAILED = {"batchItemFailures": []}
SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
SECRET = "whsec_" + "c2VjcmV0" * 4
MAILED = """
routes:
  - name: declined
    when: [{decisions: [DECLINE]}]
    to: [a@example.com, b@example.com]
"""


class Place:
    """The function's table and bucket, and its environment."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.name = f"alerts-{uuid4().hex[:12]}"
        self.keys = folder / "keys"
        dynamodb = resources.client("dynamodb", endpoint)
        for table, own in (("AlertsTable", self.name), ("IdentityTable", f"{self.name}-identity")):
            create_table(dynamodb, table, own)
        self.s3 = resources.client("s3", endpoint)
        self.s3.create_bucket(Bucket=self.name)
        self.mailbox = folder / "mailbox"
        self.environment = {
            **token_settings(self.keys, f"{self.name}-identity"),
            "ASSAY_ALERTS_TABLE": self.name,
            "ASSAY_ALERTS": f"s3://{self.name}/alerts/alerts.yaml",
            "ASSAY_MAIL": str(self.mailbox),
            "ASSAY_MAIL_FROM": "assay@example.com",
            "AWS_ENDPOINT_URL": endpoint,
            **resources.CREDENTIALS,
        }

    def configure(self, text: str) -> None:
        self.s3.put_object(Bucket=self.name, Key="alerts/alerts.yaml", Body=text.encode())


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


def declined(*numbers: int) -> dict[str, Any]:
    return batch(*(scored(n).decode() for n in numbers))


def alerts(function: ModuleType) -> list[Listed]:
    page = function._function.store.page(Filter(), None, 1000)
    found: list[Listed] = function._loop.run_until_complete(page)
    return found


def names(function: ModuleType) -> list[str]:
    return sorted(listed.alert.transaction_id or listed.alert.kind for listed in alerts(function))


def test_without_a_configuration_declines_are_recorded_and_nobody_is_told(function: ModuleType, place: Place) -> None:
    approved = scored(9, decision="APPROVE").decode()
    assert function.handler(batch(scored(1).decode(), approved, happened("keys.rotated").decode()), None) == NONE_FAILED
    assert names(function) == ["t-1"]
    assert alerts(function)[0].messages == ()
    assert function.handler(SCHEDULE, Context()) == {"attempts": 0}
    assert not place.mailbox.exists()


def test_a_batch_that_comes_again_changes_nothing(function: ModuleType) -> None:
    for event in (declined(1, 2), declined(2, 1), declined(1, 2, 2)):
        assert function.handler(event, None) == NONE_FAILED
    assert names(function) == ["t-1", "t-2"]


def test_more_than_a_transaction_may_hold(function: ModuleType) -> None:
    assert function.handler(declined(*range(40)), None) == NONE_FAILED
    assert len(alerts(function)) == 40


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_poison_fails_and_its_neighbours_are_recorded(function: ModuleType, poison: object) -> None:
    assert function.handler(batch(scored(1).decode(), poison, scored(2).decode()), None) == failed(1)
    assert names(function) == ["t-1", "t-2"]


@pytest.mark.parametrize("event", [None, [], {}, "x", {"Records": {}}, {"Records": [{}]}, {"detail-type": "Other"}])
def test_what_is_nothing_of_ours(function: ModuleType, event: object) -> None:
    with pytest.raises(RequestError):
        function.handler(event, Context())


def test_a_mail_is_sent_by_the_schedule_once(function: ModuleType, place: Place) -> None:
    place.configure(MAILED)
    function.handler(declined(1), None)
    assert alerts(function)[0].messages[0].state is State.PENDING
    assert function.handler(SCHEDULE, Context(60_000)) == {"attempts": 1}
    assert function.handler(SCHEDULE, Context(60_000)) == {"attempts": 0}
    (mail,) = place.mailbox.iterdir()
    assert b"To: a@example.com, b@example.com" in mail.read_bytes()
    assert alerts(function)[0].messages[0].state is State.SENT


def test_without_time_nothing_is_begun(function: ModuleType, place: Place) -> None:
    place.configure(MAILED)
    function.handler(declined(1), None)
    assert function.handler(SCHEDULE, Context(14_000)) == {"attempts": 0}
    assert alerts(function)[0].messages[0].attempts == 0


def test_a_mail_goes_out_by_ses(place: Place, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_MAIL", "ses:")
    ses = resources.client("ses", endpoint)
    place.configure(MAILED)
    function = load(MODULE)
    function.handler(declined(1), None)
    assert function.handler(SCHEDULE, Context(60_000)) == {"attempts": 1}
    (message,) = alerts(function)[0].messages
    assert (message.state, message.error) == (State.DEAD, "SES MessageRejected")  # nobody has verified the sender
    ses.verify_email_identity(EmailAddress="assay@example.com")
    function.handler(declined(2), None)
    assert function.handler(SCHEDULE, Context(60_000)) == {"attempts": 1}
    assert alerts(function)[0].messages[0].state is State.SENT
    ses.delete_identity(Identity="assay@example.com")
    close(function)


class Receiver:
    """A server that takes webhooks, in a thread of its own."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = self._run(self._start())

    async def _take(self, request: web.Request) -> web.Response:
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=204)

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_post("/hooks", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/hooks"

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_webhook_is_signed_with_the_secret_as_it_is_now(
    function: ModuleType, place: Place, endpoint: str, receiver: Receiver
) -> None:
    secrets = resources.client("secretsmanager", endpoint)
    arn = secrets.create_secret(Name=place.name, SecretString=SECRET)["ARN"]
    place.configure(f"""
allow_local_webhooks: true
webhooks: {{siem: {{url: "{receiver.url}", secrets: ["secretsmanager:{arn}"]}}}}
routes: [{{name: declined, when: [{{decisions: [DECLINE]}}], webhooks: [siem]}}]
""")
    for n, secret in ((1, SECRET), (2, SECRET[:-4] + "YWJj")):
        secrets.put_secret_value(SecretId=arn, SecretString=secret)
        function.handler(declined(n), None)
        assert function.handler(SCHEDULE, Context(60_000)) == {"attempts": 1}
        headers, sent = receiver.requests[-1]
        said = Webhook(secret).verify(sent, headers)
        assert (said["type"], said["data"]["transaction_id"]) == ("alert.raised", f"t-{n}")
    assert len(receiver.requests) == 2


def test_a_secret_that_is_not_there(function: ModuleType, place: Place) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nothing-AbCdEf"
    place.configure(f"""
webhooks: {{siem: {{url: "https://siem.example.com/", secrets: ["secretsmanager:{arn}"]}}}}
routes: [{{name: declined, when: [{{decisions: [DECLINE]}}], webhooks: [siem]}}]
""")
    assert function.handler(declined(1), None) == NONE_FAILED  # recording does not need it
    with pytest.raises(StorageError, match="ResourceNotFoundException"):
        function.handler(SCHEDULE, Context(60_000))
    assert alerts(function)[0].messages[0].attempts == 0


def test_the_configuration_is_read_again_after_a_minute(
    function: ModuleType, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    function._function._clock = lambda: now
    function.handler(declined(1), None)
    place.configure(MAILED)
    function.handler(declined(2), None)
    now = 59.9
    function.handler(declined(3), None)
    assert all(listed.messages == () for listed in alerts(function))
    now = 60.0
    function.handler(declined(4), None)
    assert len(alerts(function)[0].messages) == 1
    place.configure("routes: [{name: declined}]")
    now = 200.0
    function.handler(declined(5), None)
    assert len(alerts(function)[0].messages) == 1
    assert "stays as it was" in caplog.text


def test_a_configuration_that_must_not_be_used_fails_the_batch(function: ModuleType, place: Place) -> None:
    place.configure("routes: 5")
    for event in (declined(1), SCHEDULE):
        with pytest.raises(AlertsError, match=r"alerts\.yaml"):
            function.handler(event, Context(60_000))
    place.configure(MAILED)
    assert function.handler(declined(1), None) == NONE_FAILED
    assert names(function) == ["t-1"]


def test_a_configuration_may_be_a_file(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_ALERTS", str(tmp_path / "alerts.yaml"))
    (tmp_path / "alerts.yaml").write_text(MAILED)
    function = load(MODULE)
    function.handler(declined(1), None)
    assert len(alerts(function)[0].messages) == 1
    close(function)


def test_a_table_or_a_bucket_that_is_not_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in (("ASSAY_ALERTS_TABLE", "nowhere"), ("ASSAY_ALERTS", "s3://nowhere-at-all/alerts.yaml")):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            function = load(MODULE)
            for event in (declined(1), SCHEDULE):
                with pytest.raises(StorageError):
                    function.handler(event, Context(60_000))
            close(function)


@pytest.mark.parametrize("variable", ["ASSAY_ALERTS", "ASSAY_ALERTS_TABLE", "ASSAY_MAIL", "ASSAY_MAIL_FROM"])
def test_without_its_environment_the_function_does_not_start(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError, match=variable):
        load(MODULE)


def get(
    function: ModuleType,
    place: Place,
    path: str = "/alerts",
    scope: str = "alerts:read",
    role: Role | None = None,
) -> Answer:
    ring = FolderSigningKeys(place.keys).read()
    token = tokens.issuer().mint(ring, "shop", (scope,), 300, role=role)
    call = Call("GET", path, headers={"Authorization": f"Bearer {token}"})
    return answer(function.handler(http_api_2(call), Context()))


def test_alerts_are_read_over_http(function: ModuleType, place: Place) -> None:
    theirs = scored(2, client_id="bank").decode()
    function.handler(batch(scored(1).decode(), theirs), None)
    own = get(function, place)
    assert own.status == 200
    assert [alert["transaction_id"] for alert in own.json()["alerts"]] == ["t-1"]
    assert len(get(function, place, role=Role.VIEWER).json()["alerts"]) == 2
    assert get(function, place, scope="score:write").status == 403
    assert answer(function.handler(http_api_2(Call("GET", "/alerts")), Context())).status == 401
    assert get(function, place, "/nothing").status == 404


def test_recording_does_not_wait_for_the_keys_of_tokens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_JWKS", "s3://nowhere-at-all/jwks.json")
    function = load(MODULE)
    assert function.handler(declined(1), None) == NONE_FAILED
    with pytest.raises(SettingsError):
        function.handler(http_api_2(Call("GET", "/alerts")), Context())
    close(function)


def test_every_invocation_is_counted(function: ModuleType, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.configure(MAILED)
    function.handler(batch(scored(1).decode(), "poison"), None)
    function.handler(SCHEDULE, Context(60_000))
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["recorded"], first["poison"], second["Attempts"]) == ([1.0], [1.0], [1.0])
    assert {first["service"], second["service"]} == {"alerts"}


def test_the_log_names_the_message_and_nothing_it_holds(
    function: ModuleType, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="assay")
    caplog.set_level(logging.DEBUG, logger="functions")
    function.handler(batch(body("a", version=2), "acct-secret", body("\ud800")), None)
    output = "".join([caplog.text, *capsys.readouterr()])
    assert output.count("poison: ") == 3
    assert "acct-secret" not in output


def test_nothing_slow_is_imported(place: Place) -> None:
    program = f"import sys, {MODULE}; print(*sys.modules)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], env={**os.environ}, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    slow = {"boto3", "numpy", "polars", "starlette", "mangum", "aiosmtplib", "sqlite3", "argon2", "moto"}
    assert loaded & slow == set()
    assert "assay.webhooks.sender" not in run.stdout.split()


def test_the_sample_events_give_what_is_expected(function: ModuleType, place: Place) -> None:
    token = tokens.mint(place.keys, "shop", ("alerts:read",), 300)
    files = [file for file in EXPECTED if file.startswith("alerts/")]
    assert [fault for file in files for fault in faults(file, outcome(function.handler, sample(file, token)))] == []
    assert len(files) == 10
