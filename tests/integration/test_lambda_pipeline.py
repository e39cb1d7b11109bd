"""The deployed pipeline in this process: the orchestrator's Lambda entry over moto, its stages inline or elsewhere."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from assay import moments
from assay.accounts.ports import Change
from assay.accounts.records import Account, Cause, Freeze, Release, frozen, released
from assay.adapters.aws import clients
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.labels_effects import DynamoEffectStore
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.table import Table
from assay.errors import AssayError, SettingsError
from assay.features.windows import HOUR
from assay.geoip import GEOIP
from assay.labels.ports import Effect
from assay.schemas.verdict import FraudVerdict, TransactionScored
from functions.orchestrator.pipeline import STAGES
from local import tokens
from local.aws.moto_server import moto, serving
from local.aws.publish import publish
from local.aws.resources import CREDENTIALS, client
from local.places import MODELS, Places
from tests.contract.installations import AwsInstallation, run, unhurried
from tests.harness import problems, stage_host
from tests.harness.http_events import Answer, Call, Context, answer, http_api_2
from tests.harness.service import EVENTS
from tests.harness.stage_host import Fault, StageHost, cut, hanging_up, raising, refusing, saying
from tests.template.outcomes import EXPECTED, event, faults

NUMBERS = count(1)
BUCKET = "releases"
ORCHESTRATOR = "functions.orchestrator.handler"
STAGE_NAMES = [stage.name for stage in STAGES]
PLACED = [*STAGE_NAMES, GEOIP.name]
SAMPLES = {
    "score_genuine.json": {"APPROVE"},
    "score_flat_genuine.json": {"APPROVE"},
    "score_risky.json": {"CHALLENGE"},
    "score_blocked.json": {"DECLINE"},
    "score_flat_blocked.json": {"DECLINE"},
}
OF_ONE_RUN = ("transaction_id", "decided_at", "timings_us", "challenge")


@contextmanager
def functions(releases: str) -> Iterator[StageHost]:
    """Every stage by its own Lambda entry, on a thread: the orchestrator's loop stands still between two events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_RELEASES", releases)
        handlers = {name: importlib.import_module(f"functions.{name}.handler").handler for name in PLACED}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = stage_host.running(handlers)
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(slots=True)
class Deployment:
    """The orchestrator and what is around it."""

    handler: Any
    aws: AwsInstallation
    host: StageHost
    places: Places

    def call(self, method: str, path: str, body: Any = None, client_id: str = "shop", **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {tokens.mint(self.places.keys, client_id, tokens.SCOPES, 600)}", **headers}
        content = None if body is None else json.dumps(body).encode()
        call = Call(method, path, content, {"Content-Type": "application/json", **given})
        return answer(self.handler(http_api_2(call), Context(10 * 60_000)))

    def score(self, body: dict[str, Any]) -> FraudVerdict:
        found = self.call("POST", "/score", body)
        assert found.status == 200, found.content
        return FraudVerdict.model_validate_json(found.content)

    @contextmanager
    def broken(self, fault: Fault, *names: str) -> Iterator[None]:
        """Meanwhile these stages are so."""
        self.host.faults = dict.fromkeys(names, fault)
        self.host.asked.clear()
        yield
        self.host.faults = {}


def environment(aws: AwsInstallation, host: StageHost, topology: str) -> dict[str, str]:
    places = {
        name: {"inline": "inline", "lambda": f"lambda:{name}", "url": f"url:{host.url_of(name)}"} for name in PLACED
    }
    placed = {f"ASSAY_STAGE_{name.upper()}": places[name][topology] for name in PLACED}
    return {
        "ASSAY_RELEASES": f"s3://{BUCKET}/releases",
        "ASSAY_DECISIONS_TABLE": aws.tables["Decisions"],
        "ASSAY_PROFILE_TABLE": aws.tables["Profile"],
        "ASSAY_OUTBOX_TABLE": aws.tables["Outbox"],
        "ASSAY_ACCOUNTS_TABLE": aws.tables["Accounts"],
        "ASSAY_LABELS_TABLE": aws.tables["Labels"],
        "ASSAY_CHALLENGES": "true",
        "ASSAY_IDENTITY_TABLE": aws.tables["Identity"],
        "ASSAY_EVENTS_TOPIC": aws.topic,
        "ASSAY_JWKS": f"s3://{BUCKET}/identity/jwks.json",
        "ASSAY_TOKEN_ISSUER": tokens.ISSUER,
        "ASSAY_TOKEN_AUDIENCE": tokens.AUDIENCE,
        "ASSAY_DEADLINE_MS": "60000",
        "AWS_ENDPOINT_URL_LAMBDA": host.url,
        **placed,
    }


@dataclass(slots=True)
class World:
    """moto with the bucket that functions read, and the stages."""

    host: StageHost
    places: Places
    patch: pytest.MonkeyPatch
    undo: ExitStack

    def deployment(self, topology: str, **changes: str | None) -> Deployment:
        """New tables, and the orchestrator's entry imported as a new process would. None: the variable is not set."""
        aws = AwsInstallation()
        for name, value in {**environment(aws, self.host, topology), **changes}.items():
            if value is None:
                self.patch.delenv(name, raising=False)
            else:
                self.patch.setenv(name, value)
        sys.modules.pop(ORCHESTRATOR, None)
        module: Any = importlib.import_module(ORCHESTRATOR)
        self.undo.callback(lambda: module._loop.run_until_complete(module._opened.aclose()))
        return Deployment(module.handler, aws, self.host, self.places)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    places = Places(tmp_path_factory.mktemp("identity"))
    with ExitStack() as undo:
        patch = undo.enter_context(pytest.MonkeyPatch.context())
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        endpoint = undo.enter_context(serving(moto()))
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        unhurried(patch)
        s3 = client("s3", endpoint)
        s3.create_bucket(Bucket=BUCKET)
        where = {"ASSAY_RELEASES": f"s3://{BUCKET}/releases", "ASSAY_JWKS": f"s3://{BUCKET}/identity/jwks.json"}
        publish({"OrchestratorFunction": where}, places, s3)
        host = undo.enter_context(functions(str(MODELS / "releases")))
        yield World(host, places, patch, undo)


@pytest.fixture(scope="module", params=["inline", "lambda", "url"])
def topology(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def deployment(world: World, topology: str) -> Deployment:
    return world.deployment(topology)


@pytest.fixture(scope="module", params=["lambda", "url"])
def apart(world: World, request: pytest.FixtureRequest) -> Deployment:
    return world.deployment(request.param)


def payment(**changes: Any) -> dict[str, Any]:
    body, n = json.loads((EVENTS / "score_genuine.json").read_text()), next(NUMBERS)
    own = {"transaction_id": f"i-{n}", "account_id": f"a-{n}", "device_id": f"d-{n}", "ip_address": f"2001:db8::{n}"}
    return {**body, **own, **changes}


@pytest.mark.parametrize("file", SAMPLES)
def test_a_sample_gets_its_verdict(deployment: Deployment, topology: str, file: str) -> None:
    deployment.host.asked.clear()
    found = deployment.call("POST", "/score", json.loads((EVENTS / file).read_text()))
    assert found.status == 200, found.content
    verdict = FraudVerdict.model_validate_json(found.content)
    assert verdict.decision in SAMPLES[file]
    assert verdict.degraded == []
    assert verdict.is_early_exit is ("blocked" in file)
    assert deployment.call("GET", f"/decisions/{verdict.transaction_id}").content == found.content
    needed = ["rules_engine", "decision_engine"] if verdict.is_early_exit else STAGE_NAMES
    assert deployment.host.asked == ({} if topology == "inline" else dict.fromkeys(needed, 1))


@pytest.mark.parametrize("file", [file for file in EXPECTED if file.startswith("orchestrator/")])
def test_a_sample_event_gives_what_is_expected(deployment: Deployment, file: str) -> None:
    given = event(file, tokens.mint(deployment.places.keys, "samples", tokens.SCOPES, 600))
    try:
        outcome = deployment.handler(given, Context())
    except AssayError as error:
        outcome = {"errorType": type(error).__name__, "errorMessage": str(error)}
    assert not faults(file, outcome)


def test_where_the_stages_run_changes_no_verdict(world: World) -> None:
    """Down to the last bit of every score and reason."""
    deployments = [world.deployment(topology) for topology in ("inline", "lambda", "url")]
    for file in SAMPLES:
        body = json.loads((EVENTS / file).read_text())
        found = [deployment.score(body).model_dump(exclude=set(OF_ONE_RUN)) for deployment in deployments]
        assert found[0] == found[1] == found[2], file


def test_a_retry_gets_the_same_bytes_and_another_body_a_conflict(deployment: Deployment) -> None:
    body = payment()
    first = deployment.call("POST", "/score", body)
    assert first.status == 200
    deployment.host.asked.clear()
    assert deployment.call("POST", "/score", dict(reversed(body.items()))).content == first.content
    other = deployment.call("POST", "/score", {**body, "amount": 25.0})
    assert not problems.faults(other.status, other.headers, other.content, statuses=[409])
    assert deployment.call("GET", f"/decisions/{body['transaction_id']}").content == first.content
    assert not deployment.host.asked
    unknown = deployment.call("GET", f"/decisions/{body['transaction_id']}", client_id="other")
    assert not problems.faults(unknown.status, unknown.headers, unknown.content, statuses=[404])


def test_who_is_not_known_is_not_served(deployment: Deployment) -> None:
    for header in ("", "Bearer ", "Bearer x.y.z", f"Bearer {tokens.mint(deployment.places.keys, 's', (), 0)}"):
        refused = deployment.call("POST", "/score", payment(), Authorization=header)
        assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[401]), header


def test_logins_reach_the_rules(deployment: Deployment) -> None:
    account = f"acct-{next(NUMBERS)}"
    for n in range(4):
        login = {"event_id": f"{account}-{n}", "account_id": account, "outcome": "failure"}
        assert deployment.call("POST", "/events/logins", login).json() == {"recorded": True}
        assert deployment.call("POST", "/events/logins", login).json() == {"recorded": False}
    assert "brute_force_login" in deployment.score(payment(account_id=account)).triggered_rules


def test_a_verdict_is_published_whole_and_counted(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    deployment.aws.published()
    capsys.readouterr()
    body = payment()
    verdict = deployment.call("POST", "/score", body)
    deployment.call("POST", "/score", body)
    ((published, attributes),) = deployment.aws.published()
    assert attributes == {"event": "transaction.scored", "decision": verdict.json()["decision"]}
    scored = TransactionScored.model_validate_json(published)
    assert scored.verdict == FraudVerdict.model_validate_json(verdict.content)
    assert json.loads(published)["transaction"] == body
    assert deployment.aws.items("Outbox") == []
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["Verdicts"] == [1.0]


GONE: dict[str, Fault] = {
    "not there": refusing(404, "ResourceNotFoundException"),
    "throttled": refusing(429, "TooManyRequestsException"),
    "hangs up": hanging_up,
    "cut": cut,
}
WRONG: dict[str, Fault] = {
    "raised": raising,
    "nothing": saying(b""),
    "NaN": saying(b'{"fraud_score": NaN}'),
    "7 MB": saying(b" " * 7_000_000),
    "HTML": saying(b"<html>", kind="text/html"),
}


@pytest.mark.parametrize("name", {**GONE, **WRONG})
def test_a_model_that_does_not_answer_is_done_without(apart: Deployment, name: str) -> None:
    with apart.broken({**GONE, **WRONG}[name], "xgboost_classifier"):
        verdict = apart.score(payment(amount=101.0))
        assert apart.host.asked["xgboost_classifier"] == 1
    assert (verdict.decision, verdict.degraded, verdict.fraud_score) == ("CHALLENGE", ["xgboost_classifier"], None)
    assert apart.score(payment()).degraded == []


def test_without_a_decision_there_is_none_and_nothing_counts(apart: Deployment) -> None:
    body = payment()
    for status, kinds in ((503, GONE), (502, WRONG)):
        for name, fault in kinds.items():
            with apart.broken(fault, "decision_engine"):
                refused = apart.call("POST", "/score", body)
            assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[status]), name
            assert refused.headers["retry-after"] == "1"
    apart.aws.published()
    assert apart.score(body).degraded == []
    ((published, _),) = apart.aws.published()
    assert json.loads(published)["features"]["account_tx_count_30d"] == 1.0


def freeze(deployment: Deployment, account: str, *, release: bool = False) -> None:
    """As the action layer does it."""
    now = moments.now()
    news = Freeze(Cause(now, "shop", "t-0"), now + HOUR, ())
    after = frozen(Account(account), news)
    changes = [Change(after), Change(released(after, Release(now, "usr_ann", "known")))]

    async def work() -> None:
        async with deployment.aws.accounts() as stores:
            for change in changes[: 2 if release else 1]:
                assert await stores.accounts.change(change)

    run(work)


def test_a_frozen_account_is_declined_until_it_is_released(world: World) -> None:
    deployment = world.deployment("inline")
    freeze(deployment, "cold")
    freeze(deployment, "warm", release=True)
    refused = deployment.score(payment(account_id="cold"))
    assert (refused.decision, refused.triggered_by, refused.degraded) == ("DECLINE", "DENY_LIST", [])
    assert [reason.code for reason in refused.reasons] == ["rule:deny_list"]
    for body in (payment(account_id="warm"), payment(counterparty_id="cold"), payment()):
        assert deployment.score(body).decision == "APPROVE"


@pytest.mark.parametrize("table", ["Accounts", "Labels"])
def test_an_unreadable_deny_list_is_a_part_that_is_missing(world: World, table: str) -> None:
    deployment = world.deployment("inline")
    deployment.aws.api["dynamodb"].delete_table(TableName=deployment.aws.tables[table])
    for amount, decision in ((20.0, "APPROVE"), (101.0, "CHALLENGE")):
        verdict = deployment.score(payment(amount=amount))
        assert (verdict.decision, verdict.degraded) == (decision, ["deny_list"])


def follow(deployment: Deployment, *effects: Effect) -> None:
    """As what follows from the label of another transaction."""

    async def work() -> None:
        made = clients.Clients()
        try:
            dynamodb, sns = await made.open("dynamodb"), await made.open("sns")
            aws = deployment.aws
            outbox = DynamoOutbox(dynamodb, aws.tables["Outbox"], SnsEvents(sns, aws.topic))
            table = Table(dynamodb, aws.tables["Labels"], outbox, "labels")
            await DynamoEffectStore(table).replace("shop", "t-0", effects)
        finally:
            await made.close()

    run(work)


def test_what_a_label_denies_is_declined_until_the_label_changes(world: World) -> None:
    deployment = world.deployment("inline")
    until = moments.now() + HOUR
    follow(deployment, Effect("deny", "device", "farm", until), Effect("deny", "account", "old", until - 2 * HOUR))
    refused = deployment.score(payment(device_id="farm"))
    assert (refused.decision, refused.triggered_by, refused.degraded) == ("DECLINE", "DENY_LIST", [])
    for body in (payment(account_id="farm"), payment(account_id="old"), payment()):
        assert deployment.score(body).decision == "APPROVE"
    follow(deployment)
    assert deployment.score(payment(device_id="farm")).decision == "APPROVE"


def test_without_a_table_of_labels_nobody_is_asked(world: World) -> None:
    deployment = world.deployment("inline", ASSAY_LABELS_TABLE=None)
    follow(deployment, Effect("deny", "device", "farm", moments.now() + HOUR))
    verdict = deployment.score(payment(device_id="farm"))
    assert (verdict.decision, verdict.degraded) == ("APPROVE", [])


def test_without_a_table_of_accounts_nobody_is_asked(world: World) -> None:
    deployment = world.deployment("inline", ASSAY_ACCOUNTS_TABLE=None)
    freeze(deployment, "cold")
    verdict = deployment.score(payment(account_id="cold"))
    assert (verdict.decision, verdict.degraded) == ("APPROVE", [])


@pytest.mark.parametrize(("challenges", "is_named"), [("true", True), ("false", False), (None, False)])
def test_a_challenge_is_named_where_somebody_answers_for_it(
    world: World, challenges: str | None, is_named: bool
) -> None:
    deployment = world.deployment("inline", ASSAY_CHALLENGES=challenges)
    verdict = deployment.score({**json.loads((EVENTS / "score_risky.json").read_text()), "transaction_id": "risky"})
    assert verdict.decision == "CHALLENGE"
    assert (verdict.challenge is not None) == is_named
    if verdict.challenge is not None:
        assert (verdict.challenge.expires_at - verdict.decided_at).total_seconds() == 300


def test_ready_says_which_table_does_not_answer(world: World) -> None:
    deployment = world.deployment("inline")
    assert deployment.call("GET", "/ready").json() == {"status": "ready"}
    for part in ("accounts", "labels", "decisions", "profile"):
        table = part.capitalize()
        deployment.aws.api["dynamodb"].delete_table(TableName=deployment.aws.tables[table])
        refused = deployment.call("GET", "/ready")
        assert not problems.faults(refused.status, refused.headers, refused.content, statuses=[503])
        assert f"{part}: " in refused.json()["detail"]
    assert deployment.call("GET", "/health").status == 200


BAD_SETTINGS: dict[str, tuple[dict[str, str | None], str]] = {
    "no table": ({"ASSAY_DECISIONS_TABLE": None}, "ASSAY_DECISIONS_TABLE"),
    "no placement": ({"ASSAY_STAGE_AUTOENCODER": None}, "ASSAY_STAGE_AUTOENCODER"),
    "an unknown placement": ({"ASSAY_STAGE_AUTOENCODER": "http://x/"}, "ASSAY_STAGE_AUTOENCODER: should be inline"),
    "no truth": ({"ASSAY_CHALLENGES": "perhaps"}, "ASSAY_CHALLENGES"),
    "no deadline": ({"ASSAY_DEADLINE_MS": "0"}, "ASSAY_DEADLINE_MS"),
    "no keys": ({"ASSAY_JWKS": f"s3://{BUCKET}/identity/none.json"}, "ASSAY_JWKS"),
    "no file": ({"ASSAY_JWKS": "none.json"}, "ASSAY_JWKS"),
    "not keys": ({"ASSAY_JWKS": str(Path(__file__))}, "ASSAY_JWKS"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_a_setting_that_is_wrong_is_named(world: World, name: str) -> None:
    changes, message = BAD_SETTINGS[name]
    with pytest.raises(SettingsError, match=message):
        world.deployment("inline", **changes)
