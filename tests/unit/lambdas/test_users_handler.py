"""The users function's Lambda entry over moto: every event format, every store behind it, and everything that fails."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from assay.adapters.aws import clients
from assay.adapters.aws.signing_keys import SecretSigningKeys
from assay.errors import AssayError, RequestError, SettingsError
from assay.identity.scopes import CLIENT_SCOPES
from assay.identity.signing import Issuer, KeyRing
from assay.identity.tokens import TokenVerifier
from functions.users.bootstrap import Settings
from functions.users.oauth import FORM
from local.aws import identity, resources
from local.aws.moto_server import moto, serving
from local.aws.resources import CREDENTIALS
from tests.contract.faults import Faults
from tests.contract.installations import AwsInstallation, unhurried
from tests.harness import problems
from tests.harness.http_events import FORMATS, Answer, Call, Context, Format, answer, http_api_2
from tests.harness.waiting import eventually
from tests.template.invoke import outcome
from tests.template.outcomes import EXPECTED, event, faults
from tests.unit.test_import_budget import packages_of

BUCKET, JWKS = "identity", "s3://identity/identity/jwks.json"
HANDLER = "functions.users.handler"
ADMIN, PASSWORD = "root@bank.example", "correct horse battery staple"
NUMBERS = count(1)


@dataclass(slots=True)
class Function:
    """The function as Lambda runs it, and what is around it."""

    handler: Any
    aws: AwsInstallation
    faults: Faults
    secret: str
    admin: str = ""

    def call(
        self, method: str, path: str, body: Any = None, token: str = "", form: Format = http_api_2, **options: Any
    ) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        call = Call(method, path, content, {**headers, **options.pop("headers", {})}, **options)
        return answer(self.handler(form(call), Context(10 * 60_000)))

    def login(self, email: str = ADMIN, password: str = PASSWORD, form: Format = http_api_2) -> dict[str, Any]:
        found = self.call("POST", "/auth/login", {"email": email, "password": password}, form=form)
        assert found.status == 200, found.content
        return dict(found.json())

    def person(self, role: str = "analyst") -> str:
        """E-mail address of a new user whom the admin has let in."""
        email = f"person-{next(NUMBERS)}@bank.example"
        registered = self.call("POST", "/users", {"email": email, "password": PASSWORD, "name": "Pat"})
        assert registered.status == 202, registered.content
        found = self.call("GET", "/users", token=self.admin).json()["users"]
        (user_id,) = (user["id"] for user in found if user["email"] == email)
        let_in = {"role": role, "status": "active"}
        assert self.call("PATCH", f"/users/{user_id}", let_in, self.admin).status == 200
        return email

    def told(self) -> list[str]:
        """Kinds of the events since the last time."""
        assert self.aws.items("Outbox") == []
        return sorted(attributes["event"] for _, attributes in self.aws.published())


def environment(aws: AwsInstallation, secret: str) -> dict[str, str]:
    return {
        "ASSAY_JWKS": JWKS,
        "ASSAY_TOKEN_ISSUER": "assay",
        "ASSAY_TOKEN_AUDIENCE": "assay",
        "ASSAY_IDENTITY_TABLE": aws.tables["Identity"],
        "ASSAY_OUTBOX_TABLE": aws.tables["Outbox"],
        "ASSAY_EVENTS_TOPIC": aws.topic,
        "ASSAY_SIGNING_KEYS": f"secretsmanager:{secret}",
    }


@pytest.fixture(scope="module")
def function() -> Iterator[Function]:
    with ExitStack() as undo:
        patch = undo.enter_context(pytest.MonkeyPatch.context())
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        moto_faults = Faults(moto())
        endpoint = undo.enter_context(serving(moto_faults))
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        unhurried(patch)
        aws = AwsInstallation()
        resources.client("s3", endpoint).create_bucket(Bucket=BUCKET)
        secret = resources.client("secretsmanager", endpoint).create_secret(Name=f"keys-{aws.suffix}")["ARN"]
        identity.rotate_keys(secret, JWKS, aws.topic, withdraw=False)
        tables = identity.Tables(aws.tables["Identity"], aws.tables["Outbox"], aws.topic)
        identity.create_admin(tables, ADMIN, "Root", PASSWORD)
        for name, value in environment(aws, secret).items():
            patch.setenv(name, value)
        module: Any = imported()
        undo.callback(lambda: module._loop.run_until_complete(module._opened.aclose()))
        found = Function(module.handler, aws, moto_faults, secret)
        found.admin = found.login()["access_token"]
        yield found
        del sys.modules[HANDLER]


def imported() -> Any:
    """The entry as a new process has it."""
    sys.modules.pop(HANDLER, None)
    return importlib.import_module(HANDLER)


@pytest.fixture(autouse=True)
def no_faults(function: Function) -> Iterator[None]:
    function.told()
    yield
    function.faults.clear()


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_a_session_from_login_to_logout(function: Function, form: Format) -> None:
    email = function.person()
    assert function.told() == ["user.registered", "user.role_changed"]
    tokens = function.login(email, form=form)
    me = function.call("GET", "/users/me", token=tokens["access_token"], form=form)
    assert (me.status, me.json()["email"], me.json()["role"]) == (200, email, "analyst")
    assert "labels:write" in me.json()["scopes"]

    rotating = {"refresh_token": tokens["refresh_token"]}
    refreshed = function.call("POST", "/auth/refresh", rotating, form=form)
    assert refreshed.status == 200, refreshed.content
    assert function.told() == ["user.logged_in"]
    assert function.call("POST", "/auth/logout", token=refreshed.json()["access_token"], form=form).status == 204
    assert function.call("POST", "/auth/refresh", {"refresh_token": refreshed.json()["refresh_token"]}).status == 401
    assert function.told() == ["user.logged_out"]
    eventually(lambda: function.call("GET", "/users/me", token=refreshed.json()["access_token"]).status == 401)


def test_a_refresh_token_used_twice_ends_the_session(function: Function) -> None:
    tokens = function.login(function.person())
    first = {"refresh_token": tokens["refresh_token"]}
    second = function.call("POST", "/auth/refresh", first).json()
    function.told()
    for refresh in (first, {"refresh_token": second["refresh_token"]}):
        refused = function.call("POST", "/auth/refresh", refresh)
        assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[401])
    assert function.told() == ["session.reuse_detected"]
    eventually(lambda: function.call("GET", "/users/me", token=second["access_token"]).status == 401)


def test_a_new_password_ends_every_session(function: Function) -> None:
    email, other = function.person(), "another correct horse"
    sessions = [function.login(email) for _ in range(2)]
    change = {"current_password": PASSWORD, "new_password": other}
    assert function.call("POST", "/users/me/password", change, sessions[0]["access_token"]).status == 204
    for session in sessions:
        assert function.call("POST", "/auth/refresh", {"refresh_token": session["refresh_token"]}).status == 401
    assert function.call("POST", "/auth/login", {"email": email, "password": PASSWORD}).status == 401
    function.login(email, other)


def test_a_registration_answers_alike_and_is_of_no_use_by_itself(function: Function) -> None:
    email = f"person-{next(NUMBERS)}@bank.example"
    body = {"email": email, "password": PASSWORD, "name": "Pat"}
    first, second = (function.call("POST", "/users", body) for _ in range(2))
    assert (first.status, first.content) == (second.status, second.content)
    assert function.told() == ["user.registered"]
    refused = function.call("POST", "/auth/login", {"email": email, "password": PASSWORD})
    assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[403])


def test_a_service_client_gets_tokens_for_its_secret(function: Function) -> None:
    name = f"shop-{next(NUMBERS)}"
    made = function.call("POST", "/clients", {"client_id": name, "scopes": ["score:write"]}, function.admin)
    assert made.status == 201, made.content

    def token(secret: str) -> Answer:
        asked = urlencode({"grant_type": "client_credentials", "client_id": name, "client_secret": secret}).encode()
        return function.call("POST", "/oauth/token", asked, headers={"Content-Type": FORM})

    given = token(made.json()["client_secret"])
    assert (given.status, given.json()["scope"]) == (200, "score:write")
    principal = asyncio.run(verifier(function).authenticate(f"Bearer {given.json()['access_token']}"))
    assert (principal.subject, principal.scopes, principal.role) == (name, {"score:write"}, None)
    assert function.call("GET", "/users", token=given.json()["access_token"]).status == 403
    renewed = function.call("POST", f"/clients/{name}/secret", token=function.admin)
    assert token(made.json()["client_secret"]).json()["error"] == "invalid_client"
    assert token(renewed.json()["client_secret"]).status == 200
    assert function.call("PATCH", f"/clients/{name}", {"status": "disabled"}, function.admin).status == 200
    assert token(renewed.json()["client_secret"]).status == 401
    assert function.told() == ["client.changed", "client.created", "client.secret_rotated"]
    assert name in [
        each["client_id"] for each in function.call("GET", "/clients", token=function.admin).json()["clients"]
    ]


def verifier(function: Function) -> TokenVerifier:
    """By the keys that the function itself publishes."""
    published = function.call("GET", "/.well-known/jwks.json")
    assert published.status == 200

    async def source() -> bytes:
        return published.content

    return TokenVerifier(source, "assay", "assay")


def test_the_last_admin_stays(function: Function) -> None:
    me = function.call("GET", "/users/me", token=function.admin).json()["id"]
    refused = function.call("PATCH", f"/users/{me}", {"role": "lead"}, function.admin)
    assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[409])
    assert function.told() == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"refresh_token":"\\ud800"}', b'{"refresh_token":"\xff"}', b'{"refresh_token":"#"}']
)
def test_no_refresh_token_is_a_fault_of_ours(function: Function, body: bytes) -> None:
    refused = function.call("POST", "/auth/refresh", body, base64=True)
    assert not problems.faults(refused.status, refused.headers, refused.content)


@pytest.mark.parametrize("file", [file for file in EXPECTED if file.startswith("users/")])
def test_a_sample_event_gives_what_is_expected(function: Function, file: str) -> None:
    """The sample token is a service client's, as `assay token` makes it."""
    ring = asyncio.run(keys(function))
    token = Issuer("assay", "assay").mint(ring, "shop", CLIENT_SCOPES)
    assert faults(file, outcome(function.handler, event(file, token))) == []


async def keys(function: Function) -> KeyRing:
    made = clients.Clients()
    try:
        return await SecretSigningKeys(await made.open("secretsmanager"), function.secret).ring()
    finally:
        await made.close()


@pytest.mark.parametrize("given", [None, [], {}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}, {"Records": []}])
def test_what_is_no_http_event_is_said_to_be_none(function: Function, given: Any) -> None:
    with pytest.raises(RequestError, match="HTTP event"):
        function.handler(given, Context())
    assert function.call("GET", "/.well-known/jwks.json").status == 200


@pytest.mark.parametrize(
    "call", ["GetItem", "Query", "UpdateItem", "TransactWriteItems", "secretsmanager.GetSecretValue"]
)
def test_what_does_not_answer_makes_the_function_unavailable(
    function: Function, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.adapters.aws.signing_keys.FRESH_S", 0.0)
    monkeypatch.setattr("assay.adapters.aws.revocations.FRESH_S", 0.0)
    email = function.person()
    function.faults.add(call, "unavailable")
    if call == "Query":
        found = function.call("GET", "/users/me", token=function.admin)
    else:
        found = function.call("POST", "/auth/login", {"email": email, "password": PASSWORD})
    assert not problems.faults(found.status, found.headers, found.content, statuses=[503])
    assert found.headers["retry-after"]
    function.faults.clear()
    function.login(email)


def test_an_event_that_the_topic_did_not_take_waits_in_the_outbox(function: Function) -> None:
    email = function.person()
    function.told()
    function.faults.add("sns", "unavailable")
    function.login(email)
    (waiting,) = function.aws.items("Outbox")
    assert json.loads(waiting["body"]["B"])["event"] == "user.logged_in"
    function.aws.api["dynamodb"].delete_item(
        TableName=function.aws.tables["Outbox"], Key={name: waiting[name] for name in ("pk", "sk")}
    )


def test_a_rotation_takes_effect_in_a_running_function(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.adapters.aws.signing_keys.FRESH_S", 0.0)
    before = function.call("GET", "/.well-known/jwks.json").json()["keys"]
    old = function.login(function.person())["access_token"]
    identity.rotate_keys(function.secret, JWKS, function.aws.topic, withdraw=False)
    after = function.call("GET", "/.well-known/jwks.json").json()["keys"]
    assert after[1:] == before
    new = function.login(function.person())["access_token"]
    for token in (old, new):
        asyncio.run(verifier(function).authenticate(f"Bearer {token}"))
    assert function.call("GET", "/users/me", token=old).status == 200


def test_every_variable_is_needed(function: Function) -> None:
    given = environment(function.aws, function.secret)
    for name in given:
        with pytest.raises(SettingsError, match=name):
            Settings.from_environment({key: value for key, value in given.items() if key != name})
    for wrong in ("", "secretsmanager:", "/var/keys", "arn:aws:secretsmanager:eu-central-1:1:secret:x"):
        with pytest.raises(SettingsError, match="ASSAY_SIGNING_KEYS"):
            Settings.from_environment({**given, "ASSAY_SIGNING_KEYS": wrong})


def test_without_published_keys_the_function_does_not_start(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_JWKS", f"s3://{BUCKET}/nothing.json")
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, HANDLER)
        with pytest.raises(AssayError, match="ASSAY_JWKS"):
            imported()


def test_no_more_is_loaded_than_is_used() -> None:
    unused: Mapping[str, str] = {
        "boto3": "aiobotocore does it",
        "numpy": "nothing is computed",
        "polars": "nothing is computed",
        "sqlite3": "that is the embedded installation",
        "typer": "those are the commands",
        "yaml": "there is no file of settings",
    }
    loaded = packages_of("functions.users.aws")
    assert {"aiobotocore", "argon2", "jwt"} <= loaded
    assert loaded.isdisjoint(unused)
