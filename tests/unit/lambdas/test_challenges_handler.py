"""The challenges' Lambda entry over moto: batches of the queue, runs of the schedule, the API's requests."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from assay import moments
from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.challenges import totp
from assay.challenges.records import Challenge, ChallengeStatus, Delivery, Method
from assay.errors import RequestError, SettingsError, StorageError
from assay.features.windows import SECOND
from assay.identity.scopes import CHALLENGES, CHALLENGES_READ, Role, scopes_of
from assay.release.served import MODELS
from assay.sealing import SealError
from functions.challenges.sending import CLAIM_S
from local import tokens
from local.aws import resources
from tests.contract.installations import create_table
from tests.harness.aws_messages import mails, text_messages
from tests.harness.challenges import LIMITS, other, scored, secret_of
from tests.harness.http_events import Answer, Call, Context, answer, http_api_2
from tests.harness.lambdas import batch, close, failed, load, token_settings
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, faults
from tests.template.outcomes import event as sample

MODULE = "functions.challenges.handler"
NONE_FAILED = {"batchItemFailures": []}
SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
FACTS = {"account_id": "a-1", "amount": 25.5, "currency": "EUR", "counterparty_id": "m-1"}
PHONE, MAIL = "+4915112345678", "ama@example.org"


class Place:
    """The function's tables, topic and secret, and its environment."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.name = f"challenges-{uuid4().hex[:12]}"
        self.keys = folder / "keys"
        self.mailbox = folder / "codes"
        self.api = {name: resources.client(name, endpoint) for name in ("dynamodb", "sns", "sqs", "secretsmanager")}
        self.tables = {table: self._table(table) for table in ("ChallengesTable", "OutboxTable", "IdentityTable")}
        topic = self.api["sns"].create_topic(Name=self.name)["TopicArn"]
        self.queue = self.api["sqs"].create_queue(QueueName=self.name)["QueueUrl"]
        target = topic.replace(":sns:", ":sqs:")
        raw = {"RawMessageDelivery": "true"}
        self.api["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=target, Attributes=raw)
        self.secret = self.api["secretsmanager"].create_secret(Name=self.name, SecretString="aB3" * 21 + "x")["ARN"]
        self.environment = {
            **token_settings(self.keys, self.tables["IdentityTable"]),
            "ASSAY_RELEASES": str(MODELS / "releases"),
            "ASSAY_CHALLENGES_TABLE": self.tables["ChallengesTable"],
            "ASSAY_OUTBOX_TABLE": self.tables["OutboxTable"],
            "ASSAY_EVENTS_TOPIC": topic,
            "ASSAY_INSTALLATION_KEY": f"secretsmanager:{self.secret}",
            "ASSAY_CODES": str(self.mailbox),
            "AWS_ENDPOINT_URL": endpoint,
            **resources.CREDENTIALS,
        }

    def _table(self, logical_id: str) -> str:
        create_table(self.api["dynamodb"], logical_id, f"{self.name}-{logical_id}")
        return f"{self.name}-{logical_id}"

    def codes(self, account: str = "a-1") -> list[str]:
        """Those sent to the account, oldest first."""
        files = sorted(self.mailbox.glob(f"{account}.*.txt"))
        return [file.read_text().partition("Code: ")[2][:6] for file in files]

    def told(self) -> list[dict[str, Any]]:
        """The events that came out of the topic since the last time; each with its kind as an attribute."""
        found: list[dict[str, Any]] = []
        while messages := (
            self.api["sqs"]
            .receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            .get("Messages")
        ):
            for message in messages:
                event = json.loads(message["Body"])
                assert message["MessageAttributes"]["event"]["StringValue"] == event["event"]
                found.append(event)
                self.api["sqs"].delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def decisions(self) -> list[tuple[str, str, str]]:
        """Of what came out of the topic, the final decisions: challenge, decision, reason."""
        finals = [event["data"] for event in self.told() if event["event"] == "decision.final"]
        return sorted((data["challenge_id"], data["decision"], data["reason"]) for data in finals)


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


def asked(n: int = 1, account: str = "a-1", **changes: Any) -> str:
    """The event of a verdict of this moment, as JSON."""
    return scored(n, moments.now(), account, **changes).body.decode()


def later(function: ModuleType, seconds: float) -> None:
    """Turns the function's clock, and stops it."""
    service = function._function.parts.challenges
    moment = service._now() + int(seconds * SECOND)
    for part in (service, service._sending, service._apps):
        part._now = lambda: moment


def found(function: ModuleType, n: int = 1) -> Challenge:
    challenge = function._loop.run_until_complete(function._function.parts.challenges._store.get(f"chl_{n}"))
    assert isinstance(challenge, Challenge)
    return challenge


def sweep(function: ModuleType) -> int:
    attempts: int = function.handler(SCHEDULE, Context(60_000))["attempts"]
    return attempts


# The queue


def test_a_batch_begins_its_challenges(function: ModuleType, place: Place) -> None:
    event = batch(*(asked(n, f"a-{n}") for n in range(10)))
    assert function.handler(event, None) == NONE_FAILED
    assert all(found(function, n).delivery is Delivery.SENT for n in range(10))
    assert [len(place.codes(f"a-{n}")) for n in range(10)] == [1] * 10
    assert Counter(event["event"] for event in place.told()) == {"challenge.sent": 10}


def test_a_batch_that_comes_again_changes_nothing(function: ModuleType, place: Place) -> None:
    one, two = asked(1), asked(2)
    for event in (batch(one, two), batch(two, one), batch(one, two, two)):
        assert function.handler(event, None) == NONE_FAILED
    assert len(place.codes()) == 2
    assert len(place.told()) == 2


def test_other_verdicts_are_passed_over(function: ModuleType, place: Place) -> None:
    """The queue gets none of them; where it did, they would not be parsed."""
    passed_over = '{"event":"transaction.scored","verdict":{"decision":"%s"'
    event = batch(passed_over % "APPROVE", passed_over % "DECLINE", asked(1, asks=False), asked(2))
    assert function.handler(event, None) == NONE_FAILED
    assert len(place.codes()) == 1


POISON: dict[str, Any] = {
    "empty": "",
    "not JSON": "{",
    "null": "null",
    "a list": "[]",
    "an empty object": "{}",
    "not text": 5,
    "SNS envelope": lambda: json.dumps({"Type": "Notification", "MessageId": "1", "Message": asked(9)}),
    "another event": lambda: asked(9).replace("transaction.scored", "login.recorded"),
    "version 2": lambda: asked(9).replace('"version": 1', '"version": 2'),
    "a number for a client": lambda: asked(9).replace('"shop"', "5"),
    "an amount as text": lambda: asked(9).replace("25.5", '"25.5"'),
    "an amount that is none": lambda: asked(9).replace("25.5", "NaN"),
    "a key within the account": lambda: asked(9, "a#1"),
    "a time without a zone": lambda: asked(9).replace("+00:00", ""),
    "a lone surrogate": lambda: asked(9).replace('"a-1"', '"\\ud800"'),
}


def test_poison_fails_and_its_neighbours_begin(function: ModuleType, place: Place) -> None:
    bodies = [body() if callable(body) else body for body in POISON.values()]
    failures = function.handler(batch(*bodies, asked(1)), None)["batchItemFailures"]
    assert [name for n, name in enumerate(POISON) if failed(n)["batchItemFailures"][0] not in failures] == []
    assert len(failures) == len(POISON)
    assert len(place.codes()) == 1


def test_what_is_nothing_of_ours(function: ModuleType) -> None:
    for event in (None, [], {}, "x", {"Records": {}}, {"Records": [{}]}, {"detail-type": "Other"}):
        with pytest.raises(RequestError):
            function.handler(event, Context())


def test_a_storage_error_in_the_middle(function: ModuleType, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others begin, the batch comes again, and nobody gets a second code."""
    store = function._function.parts.challenges._store
    save, failures = store.save, ["chl_2"]

    async def fail(challenge: Challenge, **rest: Any) -> bool:
        if challenge.id in failures:
            failures.remove(challenge.id)
            raise StorageError("challenge: no time")
        kept: bool = await save(challenge, **rest)
        return kept

    monkeypatch.setattr(store, "save", fail)
    event = batch(*(asked(n, f"a-{n}") for n in (1, 2, 3)))
    with pytest.raises(StorageError):
        function.handler(event, None)
    assert [len(place.codes(f"a-{n}")) for n in (1, 2, 3)] == [1, 0, 1]
    assert function.handler(event, None) == NONE_FAILED
    assert [len(place.codes(f"a-{n}")) for n in (1, 2, 3)] == [1, 1, 1]


def test_a_late_message_begins_as_expired(function: ModuleType, place: Place) -> None:
    event = batch(asked(1))
    later(function, LIMITS.ttl_s + 1)
    for _ in range(2):
        assert function.handler(event, None) == NONE_FAILED
    assert place.codes() == []
    assert place.decisions() == [("chl_1", "DECLINE", "step_up_expired")]


# The schedule


def test_the_schedule_ends_what_nobody_has_answered(function: ModuleType, place: Place) -> None:
    function.handler(batch(*(asked(n, f"a-{n}") for n in range(3))), None)
    assert sweep(function) == 0
    later(function, LIMITS.ttl_s + 1)
    assert function.handler(SCHEDULE, Context(14_000)) == {"attempts": 0}, "without time nothing is begun"
    assert sweep(function) == 3
    assert sweep(function) == 0
    assert found(function, 0).status is ChallengeStatus.EXPIRED
    assert place.decisions() == [(f"chl_{n}", "DECLINE", "step_up_expired") for n in range(3)]


def test_the_schedule_sends_what_a_process_has_left(
    function: ModuleType, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = function._function.parts.challenges._sending._sender

    class Killed(BaseException):
        pass

    async def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(sender, "send", die)
        with pytest.raises(Killed):
            function.handler(batch(asked(1)), None)
    function.handler(batch(asked(1)), None)
    assert (sweep(function), place.codes()) == (0, [])
    later(function, CLAIM_S + 1)
    assert sweep(function) == 1
    assert len(place.codes()) == 1
    assert found(function).delivery is Delivery.SENT


# HTTP


class Caller:
    """A client with a token."""

    def __init__(self, function: ModuleType, place: Place, name: str = "shop", role: Role | None = None) -> None:
        ring = FolderSigningKeys(place.keys).read()
        granted = (CHALLENGES, CHALLENGES_READ) if role is None else scopes_of(role)
        self._token = tokens.issuer().mint(ring, name, granted, 300, role=role)
        self._function = function

    def __call__(self, method: str, path: str, body: object = None) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return answer(self._function.handler(http_api_2(Call(method, path, content, headers)), Context()))

    def verify(self, code: str, n: int = 1, **changes: Any) -> Answer:
        return self("POST", f"/challenges/chl_{n}/verify", {**FACTS, "code": code, **changes})


@pytest.fixture
def shop(function: ModuleType, place: Place) -> Caller:
    return Caller(function, place)


def problem(got: Answer) -> tuple[int, str]:
    return got.status, got.json()["type"].removeprefix("urn:assay:problem:")


def test_a_challenge_is_passed_over_http(function: ModuleType, place: Place, shop: Caller) -> None:
    function.handler(batch(asked(1)), None)
    (code,) = place.codes()
    assert shop("GET", "/challenges/chl_1").json()["status"] == "pending"
    for changes in ({"amount": 25.51}, {"counterparty_id": "m-2"}, {"account_id": "a-2"}, {"currency": "USD"}):
        assert problem(shop.verify(code, **changes)) == (422, "wrong_code")
    got = shop.verify(code)
    assert (got.status, got.json()) == (200, {"status": "passed", "decision": "APPROVE"})
    assert problem(shop.verify(code)) == (409, "already_used")
    assert shop("GET", "/challenges/chl_1").json()["decision"] == "APPROVE"
    assert place.decisions() == [("chl_1", "APPROVE", "step_up_passed")]


def test_a_challenge_is_failed_over_http(function: ModuleType, place: Place, shop: Caller) -> None:
    function.handler(batch(asked(1)), None)
    wrong = other(place.codes()[0])
    left = [shop.verify(wrong).json()["tries_left"] for _ in range(LIMITS.tries - 1)]
    assert left == [4, 3, 2, 1]
    assert shop.verify(wrong).json() == {"status": "failed", "decision": "DECLINE"}
    assert problem(shop.verify(place.codes()[0])) == (409, "failed")
    assert place.decisions() == [("chl_1", "DECLINE", "step_up_failed")]


def test_who_comes_too_late_need_not_wait_for_the_schedule(function: ModuleType, place: Place, shop: Caller) -> None:
    function.handler(batch(asked(1)), None)
    later(function, LIMITS.ttl_s + 1)
    assert problem(shop.verify(place.codes()[0])) == (409, "expired")
    assert place.decisions() == [("chl_1", "DECLINE", "step_up_expired")]
    assert sweep(function) == 0


def test_a_resend_voids_the_code_before(function: ModuleType, place: Place, shop: Caller) -> None:
    function.handler(batch(asked(1)), None)
    for _ in range(LIMITS.sends - 1):
        got = shop("POST", "/challenges/chl_1/resend")
        assert (got.status, got.json()["delivery"]) == (200, "sent")
    got = shop("POST", "/challenges/chl_1/resend")
    assert problem(got) == (429, "too_many_sends")
    assert 0 < int(got.headers["retry-after"]) <= LIMITS.sends_window_s
    first, *_, last = place.codes()
    if first != last:
        assert problem(shop.verify(first)) == (422, "wrong_code")
    assert shop.verify(last).status == 200


def test_anothers_challenge_is_as_one_that_is_not_there(function: ModuleType, place: Place) -> None:
    function.handler(batch(asked(1)), None)
    (code,) = place.codes()
    thief = Caller(function, place, "thief")
    paths = [("GET", "", None), ("POST", "/verify", {**FACTS, "code": code}), ("POST", "/resend", None)]
    for method, path, body in paths:
        theirs, nobodys = (thief(method, f"/challenges/{id_}{path}", body) for id_ in ("chl_1", "chl_0"))
        assert problem(theirs) == (404, "unknown_challenge")
        assert theirs.content == nobodys.content
    assert (found(function).tries, len(place.codes())) == (0, 1)


def test_who_may_do_what(function: ModuleType, place: Place, shop: Caller) -> None:
    function.handler(batch(asked(1)), None)
    nobody = Call("GET", "/challenges/chl_1")
    assert answer(function.handler(http_api_2(nobody), Context())).status == 401
    viewer = Caller(function, place, "usr_viewer", Role.VIEWER)
    assert viewer("GET", "/challenges/chl_1").json()["client_id"] == "shop"
    assert viewer.verify("000000").status == 403
    assert shop("GET", "/nothing").status == 404
    for name in ("x" * 3_000, "chl%00", "chl%23C", "%F0%9F%98%80", "%ED%A0%80", "C", "."):
        assert problem(shop("GET", f"/challenges/{name}")) == (404, "unknown_challenge")
    for body in ({}, {**FACTS, "code": 123456}, {**FACTS, "code": "12345"}, {**FACTS, "code": "123456", "x": 1}, []):
        assert shop("POST", "/challenges/chl_1/verify", body).status in {400, 422}
    assert found(function).tries == 0


def test_contacts_over_http(function: ModuleType, place: Place, shop: Caller) -> None:
    path = "/accounts/a-1/contact"
    assert problem(shop("DELETE", path)) == (404, "no_contact")
    assert shop("PUT", path, {"email": MAIL, "phone": PHONE}).status == 204
    assert problem(shop("PUT", path, {"phone": "0151"})) == (422, "validation")
    assert problem(Caller(function, place, "other")("DELETE", path)) == (404, "no_contact")
    assert shop("DELETE", path).status == 204
    assert [event["event"] for event in place.told()] == ["contact.changed", "contact.removed"]


def test_an_authenticator_app_over_http(function: ModuleType, place: Place, shop: Caller) -> None:
    path = "/accounts/a-1/totp"
    later(function, 0)
    assert problem(shop("POST", f"{path}/confirm", {"code": "000000"})) == (404, "not_enrolled")
    got = shop("POST", path)
    assert (got.status, got.headers["cache-control"]) == (201, "no-store")
    secret = secret_of(got.json()["uri"])
    function.handler(batch(asked(1)), None)
    assert found(function).method is Method.CODE, "nobody has shown yet that the app works"
    assert shop("POST", f"{path}/confirm", {"code": shown(function, secret)}).status == 204
    assert problem(shop("POST", path)) == (409, "enrolled")
    function.handler(batch(asked(2)), None)
    assert found(function, 2).method is Method.TOTP
    assert problem(shop("POST", "/challenges/chl_2/resend")) == (409, "nothing_to_send")
    assert problem(shop.verify(shown(function, secret), 2)) == (422, "wrong_code"), "it was the first code"
    later(function, 30)
    assert shop.verify(shown(function, secret), 2).status == 200
    assert shop("DELETE", path).status == 204
    assert problem(shop("DELETE", path)) == (404, "not_enrolled")


def shown(function: ModuleType, secret: bytes) -> str:
    """The app's code, by the function's clock."""
    return totp.code_at(secret, totp.step_of(function._function.parts.challenges._now()))


def test_beginning_does_not_wait_for_the_keys_of_tokens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_JWKS", "s3://nowhere-at-all/jwks.json")
    function = load(MODULE)
    assert function.handler(batch(asked(1)), None) == NONE_FAILED
    with pytest.raises(SettingsError):
        function.handler(http_api_2(Call("GET", "/challenges/chl_1")), Context())
    close(function)


# How codes leave


def test_the_contact_decides_how_codes_leave(place: Place, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CODES", "sns:,ses:")
    monkeypatch.setenv("ASSAY_CODES_FROM", "codes@example.com")
    resources.client("ses", endpoint).verify_email_identity(EmailAddress="codes@example.com")
    function = load(MODULE)
    shop, texts, letters = Caller(function, place), len(text_messages()), len(mails())
    for account, contact in (
        ("a-1", {"phone": PHONE}),
        ("a-2", {"email": MAIL}),
        ("a-3", {"phone": PHONE, "email": MAIL}),
    ):
        assert shop("PUT", f"/accounts/{account}/contact", contact).status == 204
    assert function.handler(batch(*(asked(n, f"a-{n}") for n in (1, 2, 3, 4))), None) == NONE_FAILED
    channels = {event["data"]["channel"] for event in place.told() if event["event"] == "challenge.sent"}
    assert channels == {"sms", "mail"}
    sent = text_messages()[texts:]
    assert [phone for phone, _ in sent] == [PHONE, PHONE]
    ((recipients, mail),) = mails()[letters:]
    assert set(recipients) == {MAIL}  # moto counts the header too
    assert b"From: codes@example.com" in mail
    assert found(function, 4).delivery is Delivery.UNDELIVERABLE
    code = mail.partition(b"Code: ")[2][:6].decode()
    assert shop.verify(code, 2, account_id="a-2").status == 200
    results = {shop.verify(text[:6], n, account_id=f"a-{n}").status for n in (1, 3) for _, text in sent}
    assert 200 in results
    close(function)


def test_a_message_that_is_refused_can_be_sent_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CODES", "ses:")
    monkeypatch.setenv("ASSAY_CODES_FROM", "nobody@example.com")  # nobody has verified it
    function = load(MODULE)
    shop = Caller(function, place)
    shop("PUT", "/accounts/a-1/contact", {"email": MAIL})
    assert function.handler(batch(asked(1)), None) == NONE_FAILED
    assert found(function).delivery is Delivery.UNDELIVERED
    assert problem(shop("POST", "/challenges/chl_1/resend")) == (503, "undelivered")
    shop("DELETE", "/accounts/a-1/contact")
    assert problem(shop("POST", "/challenges/chl_1/resend")) == (409, "undeliverable")
    close(function)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ASSAY_CODES", "sns:,smtp://localhost"), ("ASSAY_CODES", "smtp://host:port:1"), ("ASSAY_CODES_FROM", "Bank")],
)
def test_senders_that_cannot_be(place: Place, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("ASSAY_CODES", "ses:")
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError):
        load(MODULE)


# The environment


@pytest.mark.parametrize(
    "variable",
    ["CHALLENGES_TABLE", "OUTBOX_TABLE", "EVENTS_TOPIC", "INSTALLATION_KEY", "CODES", "RELEASES", "JWKS"],
)
def test_without_its_environment_the_function_does_not_start(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(f"ASSAY_{variable}")
    with pytest.raises(SettingsError, match=variable):
        load(MODULE)


def test_without_its_key_the_function_does_not_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_INSTALLATION_KEY", "a-file")
    with pytest.raises(SettingsError, match="INSTALLATION_KEY"):
        load(MODULE)
    monkeypatch.setenv("ASSAY_INSTALLATION_KEY", f"secretsmanager:{place.secret}x")
    with pytest.raises(StorageError, match="ResourceNotFound"):
        load(MODULE)
    place.api["secretsmanager"].put_secret_value(SecretId=place.secret, SecretString="something else")
    monkeypatch.setenv("ASSAY_INSTALLATION_KEY", f"secretsmanager:{place.secret}")
    with pytest.raises(SealError):
        load(MODULE)


def test_a_table_that_is_not_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CHALLENGES_TABLE", "nowhere")
    function = load(MODULE)
    for event in (batch(asked(1)), SCHEDULE):
        with pytest.raises(StorageError):
            function.handler(event, Context(60_000))
    assert problem(Caller(function, place)("GET", "/challenges/chl_1"))[0] == 503
    close(function)


def test_every_invocation_is_counted(function: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    function.handler(batch(asked(1), "poison"), None)
    sweep(function)
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["recorded"], first["poison"], second["Attempts"]) == ([1.0], [1.0], [0.0])
    assert {first["service"], second["service"]} == {"challenges"}


def test_the_log_names_the_message_and_nothing_it_holds(
    function: ModuleType,
    place: Place,
    shop: Caller,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, logger="assay")
    caplog.set_level(logging.DEBUG, logger="functions")
    shop("PUT", "/accounts/acct-secret/contact", {"email": MAIL, "phone": PHONE})
    function.handler(batch(asked(1), asked(2, "acct-secret").replace("25.5", '"25.5"')), None)
    shop.verify(other(place.codes()[0]))
    output = "".join([caplog.text, *capsys.readouterr()])
    assert output.count("poison: ") == 1
    assert not [word for word in ("acct-secret", MAIL, PHONE, *place.codes()) if word in output]


def test_nothing_slow_is_imported(place: Place) -> None:
    program = f"import sys, {MODULE}; print(*sys.modules)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], env={**os.environ}, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    slow = {"boto3", "numpy", "polars", "starlette", "mangum", "aiosmtplib", "sqlite3", "argon2", "moto"}
    assert loaded & slow == set()


def test_the_sample_events_give_what_is_expected(function: ModuleType, place: Place) -> None:
    token = tokens.mint(place.keys, "shop", (CHALLENGES, CHALLENGES_READ), 300)
    files = [file for file in EXPECTED if file.startswith("challenges/")]
    assert [fault for file in files for fault in faults(file, outcome(function.handler, sample(file, token)))] == []
    assert len(files) == 18
