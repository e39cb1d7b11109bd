"""The action layer's Lambda entry over moto: batches of the queue, runs of the schedule, the API's requests."""

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

import pytest

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.errors import RequestError, SettingsError, StorageError
from assay.identity.scopes import Role
from assay.moments import now
from functions.action_layer.cards import Patience
from local import tokens
from local.aws import resources
from local.places import MODELS
from tests.contract.faults import Faults
from tests.contract.installations import AwsInstallation
from tests.harness import accounts, card_system
from tests.harness.card_system import CardSystem
from tests.harness.http_events import Answer, Call, Context, answer, http_api_2
from tests.harness.lambdas import batch, close, failed, token_settings
from tests.harness.lambdas import load as load_entry
from tests.template.invoke import outcome
from tests.template.outcomes import EVENTS, EXPECTED, faults
from tests.template.outcomes import event as sample
from tests.unit.lambdas.test_post_auth_handler import POISON

MODULE = "functions.action_layer.handler"
NONE_FAILED = {"batchItemFailures": []}
SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
TIME, NO_TIME = Context(60_000), Context(14_000)
OTHER_SECRET = "whsec_" + "b3RoZXIt" * 4


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The keys that tokens are signed with."""
    return tmp_path / "keys"


@pytest.fixture
def environment(aws: AwsInstallation, keys: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The function's, without card management."""
    given = {
        **token_settings(keys, aws.tables["Identity"]),
        "ASSAY_RELEASES": str(MODELS / "releases"),
        "ASSAY_ACCOUNTS_TABLE": aws.tables["Accounts"],
        "ASSAY_OUTBOX_TABLE": aws.tables["Outbox"],
        "ASSAY_EVENTS_TOPIC": aws.topic,
        "ASSAY_CARD_MANAGEMENT": "",
        "ASSAY_CARD_MANAGEMENT_SECRET": "secretsmanager:nothing",
    }
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    return monkeypatch


@pytest.fixture
def cards(environment: pytest.MonkeyPatch, aws: AwsInstallation, tmp_path: Path) -> Iterator[CardSystem]:
    """A card system that the function's environment names."""
    secrets = resources.client("secretsmanager", aws.endpoint)
    arn = secrets.create_secret(Name=f"cards-{aws.suffix}", SecretString=card_system.SECRET)["ARN"]
    with card_system.running(card_system.good) as system:
        environment.setenv("ASSAY_CARD_MANAGEMENT", system.url)
        environment.setenv("ASSAY_CARD_MANAGEMENT_SECRET", f"secretsmanager:{arn}")
        yield system


def load() -> ModuleType:
    """As a new process would, but that a failed order is due at once."""
    module = load_entry(MODULE)
    module._function.delivery._patience = Patience(first_wait_s=0.0)
    return module


@pytest.fixture
def function(environment: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Without card management."""
    module = load()
    yield module
    close(module)


@pytest.fixture
def telling(cards: CardSystem) -> Iterator[ModuleType]:
    """With card management."""
    module = load()
    yield module
    close(module)


def scored(transaction: str, account: str | None = "a", decision: str = "DECLINE", **changes: Any) -> str:
    """A decline of now that freezes."""
    at = changes.pop("at", now())
    return accounts.scored(transaction, account, at, decision, **changes).body.decode()


def status(function: ModuleType, account: str = "a") -> str:
    return str(function._loop.run_until_complete(function._function.accounts.get(account))[1])


def announced(aws: AwsInstallation) -> list[str]:
    return sorted(json.loads(body)["event"] for body, _ in aws.published())


def states(aws: AwsInstallation) -> list[tuple[str, str]]:
    return [(order.kind, order.state) for order in aws.orders()]


def test_a_decline_freezes_the_account_and_blocks_its_cards_at_once(
    telling: ModuleType, cards: CardSystem, aws: AwsInstallation
) -> None:
    approved, asked = scored("t-2", "b", "APPROVE"), scored("t-3", "c", "CHALLENGE")
    assert telling.handler(batch(scored("t-1"), approved, asked), TIME) == NONE_FAILED
    assert [status(telling, account) for account in "abc"] == ["blocked", "active", "active"]
    assert (cards.faults, cards.orders("cards.block")) == ([], ["a"])
    assert aws.effects() == {("shop", "t-1"): "frozen", ("shop", "t-2"): "none"}
    assert announced(aws) == ["account.blocked", "account.frozen"]
    assert aws.items("Outbox") == []


def test_what_comes_again_has_no_effect_again(telling: ModuleType, cards: CardSystem, aws: AwsInstallation) -> None:
    declined, approved = scored("t-1"), scored("t-2", "b", "APPROVE")
    for event in (batch(declined, approved), batch(approved, declined, declined), batch(declined)):
        assert telling.handler(event, TIME) == NONE_FAILED
    assert list(cards.calls.values()) == [1]
    assert aws.effects() == {("shop", "t-1"): "frozen", ("shop", "t-2"): "none"}
    assert announced(aws) == ["account.blocked", "account.frozen"]


def test_poison_fails_and_its_neighbours_are_acted_on(function: ModuleType, aws: AwsInstallation) -> None:
    event = batch(scored("t-1"), *POISON.values(), scored("t-2", "b", "APPROVE"))
    assert function.handler(event, NO_TIME) == failed(*range(1, 1 + len(POISON)))
    assert aws.effects() == {("shop", "t-1"): "frozen", ("shop", "t-2"): "none"}


def test_what_is_nothing_of_ours(function: ModuleType) -> None:
    for event in (None, [], {}, "x", {"Records": {}}, {"Records": [{}]}, {"detail-type": "Other"}):
        with pytest.raises(RequestError):
            function.handler(event, TIME)


def test_a_crash_in_the_middle_of_a_batch_repeats_it(
    telling: ModuleType, cards: CardSystem, aws: AwsInstallation, broken: Faults
) -> None:
    """After the freeze and before the rest."""
    event = batch(scored("t-1"), scored("t-2", "b", "APPROVE"))
    broken.add("PutItem", "unavailable")
    with pytest.raises(StorageError):
        telling.handler(event, TIME)
    assert (status(telling), aws.effects()) == ("frozen", {("shop", "t-1"): "frozen"})
    broken.clear()
    assert telling.handler(event, TIME) == NONE_FAILED
    assert aws.effects() == {("shop", "t-1"): "frozen", ("shop", "t-2"): "none"}
    assert list(cards.calls.values()) == [1]
    assert announced(aws) == ["account.blocked", "account.frozen"]


def test_nothing_is_lost_while_the_table_does_not_answer(
    function: ModuleType, aws: AwsInstallation, broken: Faults
) -> None:
    event = batch(scored("t-1"), scored("t-2", "b", "APPROVE"))
    for operation in ("GetItem", "TransactWriteItems", "PutItem"):
        broken.add(operation, "throttled")
        with pytest.raises(StorageError):
            function.handler(event, NO_TIME)
        broken.clear()
    assert function.handler(event, NO_TIME) == NONE_FAILED
    assert len(aws.effects()) == 2
    assert announced(aws) == ["account.frozen"]


def test_a_topic_that_does_not_answer_leaves_the_event_to_the_sweeper(
    function: ModuleType, aws: AwsInstallation, broken: Faults
) -> None:
    broken.add("sns", "unavailable")
    assert function.handler(batch(scored("t-1")), NO_TIME) == NONE_FAILED
    (waiting,) = aws.items("Outbox")
    assert json.loads(waiting["body"]["B"])["event"] == "account.frozen"


def test_without_time_the_schedule_carries_out_the_orders(
    telling: ModuleType, cards: CardSystem, aws: AwsInstallation
) -> None:
    assert telling.handler(batch(scored("t-1")), NO_TIME) == NONE_FAILED
    assert (status(telling), cards.calls) == ("frozen", {})
    assert telling.handler(SCHEDULE, NO_TIME) == {"attempts": 0}
    assert telling.handler(SCHEDULE, TIME) == {"attempts": 1}
    assert telling.handler(SCHEDULE, TIME) == {"attempts": 0}
    assert (status(telling), cards.blocked()) == ("blocked", {"a"})


def test_a_batch_is_done_though_its_orders_cannot_be_looked_for(
    telling: ModuleType, cards: CardSystem, broken: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    broken.add("Query", "unavailable")  # claiming begins with one; a first freeze needs one too, for older orders
    with pytest.raises(StorageError):
        telling.handler(batch(scored("t-1")), TIME)
    assert telling.handler(batch(scored("t-2", "b", "APPROVE")), TIME) == NONE_FAILED
    assert "orders wait for the schedule" in caplog.text
    with pytest.raises(StorageError):
        telling.handler(SCHEDULE, TIME)
    broken.clear()
    assert telling.handler(batch(scored("t-1")), TIME) == NONE_FAILED
    assert cards.blocked() == {"a"}


def test_an_outcome_that_could_not_be_kept_repeats_the_order_under_its_id(
    telling: ModuleType, cards: CardSystem, aws: AwsInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash after the card system has done the work: nothing is known of it, the claim runs out."""
    orders = telling._function.delivery._orders

    async def crash(*_: object) -> None:
        raise StorageError("gone")

    with monkeypatch.context() as crashing:
        crashing.setattr(orders, "settle", crash)
        assert telling.handler(batch(scored("t-1")), TIME) == NONE_FAILED
    assert telling.handler(SCHEDULE, TIME) == {"attempts": 0}
    telling._function.delivery._now = lambda: now() + 61_000_000
    assert telling.handler(SCHEDULE, TIME) == {"attempts": 1}
    assert list(cards.calls.values()) == [2]
    assert cards.orders("cards.block") == ["a"]
    assert announced(aws) == ["account.blocked", "account.frozen"]


def test_an_order_that_is_refused_is_dead_and_told_of(
    environment: pytest.MonkeyPatch, cards: CardSystem, aws: AwsInstallation
) -> None:
    cards.behaviour = card_system.saying(404, times=1)
    function = load()
    assert function.handler(batch(scored("t-1")), TIME) == NONE_FAILED
    assert (status(function), states(aws)[0]) == ("frozen", ("block", "dead"))
    assert announced(aws) == ["account.frozen", "card_order.dead"]
    close(function)


def test_without_card_management_nobody_is_told(function: ModuleType, aws: AwsInstallation) -> None:
    assert function.handler(batch(scored("t-1")), TIME) == NONE_FAILED
    assert status(function) == "frozen"
    assert states(aws) == [("block", "dropped"), ("unblock", "pending")]
    assert function.handler(SCHEDULE, TIME) == {"attempts": 0}
    assert announced(aws) == ["account.frozen"]


def test_orders_are_signed_with_the_secret_as_it_is_now(
    telling: ModuleType, cards: CardSystem, aws: AwsInstallation
) -> None:
    """At most a minute old."""
    secrets, place = resources.client("secretsmanager", aws.endpoint), os.environ["ASSAY_CARD_MANAGEMENT_SECRET"]
    time = 0.0
    source = telling._function.delivery._cards._secret
    source._clock = lambda: time
    telling.handler(batch(scored("t-1")), TIME)
    secrets.put_secret_value(SecretId=place.partition(":")[2], SecretString=OTHER_SECRET)
    telling.handler(batch(scored("t-2", "b")), TIME)
    assert cards.faults == []
    time = 60.0
    telling.handler(batch(scored("t-3", "c")), TIME)
    assert cards.faults == ["a signature is wrong"]


@pytest.mark.parametrize("content", [None, "garbage"])
def test_without_a_secret_orders_wait(
    environment: pytest.MonkeyPatch, cards: CardSystem, aws: AwsInstallation, content: str | None
) -> None:
    secrets = resources.client("secretsmanager", aws.endpoint)
    arn = secrets.create_secret(Name=f"none-{aws.suffix}", **({"SecretString": content} if content else {}))["ARN"]
    environment.setenv("ASSAY_CARD_MANAGEMENT_SECRET", f"secretsmanager:{arn}")
    function = load()
    function._function.delivery._patience = Patience(first_wait_s=1_000.0)
    assert function.handler(batch(scored("t-1")), TIME) == NONE_FAILED
    assert (status(function), cards.calls) == ("frozen", {})
    order = aws.orders()[0]
    assert (order.state, order.attempts, order.error) == ("pending", 1, "no secret to sign with")
    secrets.put_secret_value(SecretId=arn, SecretString=card_system.SECRET)
    function._function.delivery._now = lambda: now() + 1_000_000_000
    assert function.handler(SCHEDULE, TIME) == {"attempts": 1}
    assert (cards.faults, status(function)) == ([], "blocked")
    close(function)


def test_a_secret_may_be_in_a_file(environment: pytest.MonkeyPatch, cards: CardSystem, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(card_system.SECRET)
    environment.setenv("ASSAY_CARD_MANAGEMENT_SECRET", str(tmp_path / "secret"))
    function = load()
    function.handler(batch(scored("t-1")), TIME)
    assert (cards.faults, cards.blocked()) == ([], {"a"})
    close(function)


NEEDED = ("JWKS", "TOKEN_ISSUER", "IDENTITY_TABLE", "RELEASES", "ACCOUNTS_TABLE", "OUTBOX_TABLE", "EVENTS_TOPIC")


def test_without_its_environment_the_function_does_not_start(environment: pytest.MonkeyPatch) -> None:
    for name in NEEDED:
        with environment.context() as patch:
            patch.delenv(f"ASSAY_{name}")
            with pytest.raises(SettingsError, match=f"ASSAY_{name}"):
                load()


def test_a_card_system_that_orders_must_not_go_to(environment: pytest.MonkeyPatch) -> None:
    for url, secret, message in (
        ("https://cards.bank.example/", "", "ASSAY_CARD_MANAGEMENT_SECRET"),
        ("http://cards.bank.example/", "secretsmanager:x", "https://"),
        ("cards", "secretsmanager:x", "card management"),
    ):
        environment.setenv("ASSAY_CARD_MANAGEMENT", url)
        environment.setenv("ASSAY_CARD_MANAGEMENT_SECRET", secret)
        with pytest.raises(SettingsError, match=message):
            load()


class Caller:
    """Somebody with a token."""

    def __init__(self, function: ModuleType, keys: Path, subject: str, scopes: tuple[str, ...], role: Role | None):
        ring = FolderSigningKeys(keys).read()
        self._function = function
        self._headers = {
            "Authorization": f"Bearer {tokens.issuer().mint(ring, subject, scopes, 300, role=role)}",
            "Content-Type": "application/json",
        }

    def __call__(self, method: str, path: str, body: object = None) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        return answer(self._function.handler(http_api_2(Call(method, path, content, self._headers)), Context()))


STATUS, RELEASE = "/accounts/a/status", "/accounts/a/release"
KNOWN = {"reason": "Verified by phone."}


def test_an_account_is_released_over_http_and_its_cards_unblocked_by_the_schedule(
    telling: ModuleType, keys: Path, cards: CardSystem, aws: AwsInstallation
) -> None:
    telling.handler(batch(scored("t-1")), TIME)
    analyst = Caller(telling, keys, "usr_ann", ("accounts:read", "accounts:release"), Role.ANALYST)
    found = analyst("GET", STATUS).json()
    assert (found["status"], found["freeze"]["transaction_id"]) == ("blocked", "t-1")
    answered = analyst("POST", RELEASE, KNOWN)
    assert (answered.status, answered.json()["status"], answered.json()["release"]["by"]) == (
        200,
        "released",
        "usr_ann",
    )
    again = analyst("POST", RELEASE, KNOWN)
    assert (again.status, again.headers["content-type"]) == (409, "application/problem+json")
    assert telling.handler(SCHEDULE, TIME) == {"attempts": 1}
    assert (cards.faults, cards.blocked()) == ([], set())
    assert announced(aws) == ["account.blocked", "account.frozen", "account.released"]


def test_who_may_do_what_over_http(function: ModuleType, keys: Path) -> None:
    function.handler(batch(scored("t-1")), TIME)
    both = ("accounts:read", "accounts:release")
    shop, bank = (Caller(function, keys, name, both, None) for name in ("shop", "bank"))
    assert shop("GET", STATUS).json()["freeze"]["transaction_id"] == "t-1"
    assert (bank("GET", STATUS).status, bank("GET", STATUS).json()["freeze"]) == (200, None)
    assert shop("POST", RELEASE, KNOWN).status == 403
    viewer = Caller(function, keys, "usr_vic", ("accounts:read",), Role.VIEWER)
    assert viewer("POST", RELEASE, KNOWN).status == 403
    assert viewer("GET", f"/accounts/{'a' * 65}/status").status == 422
    assert viewer("GET", "/nothing").status == 404
    assert answer(function.handler(http_api_2(Call("GET", STATUS)), Context())).status == 401
    assert status(function) == "frozen"


def test_a_table_that_does_not_answer_is_a_503(function: ModuleType, keys: Path, broken: Faults) -> None:
    viewer = Caller(function, keys, "usr_vic", ("accounts:read",), Role.VIEWER)
    assert viewer("GET", STATUS).json()["status"] == "active"
    broken.add("GetItem", "unavailable")
    assert viewer("GET", STATUS).status == 503


def test_declines_do_not_wait_for_the_keys_of_tokens(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ASSAY_JWKS", "s3://nowhere-at-all/jwks.json")
    function = load()
    assert function.handler(batch(scored("t-1")), NO_TIME) == NONE_FAILED
    with pytest.raises(SettingsError):
        function.handler(http_api_2(Call("GET", STATUS)), Context())
    close(function)


def test_a_table_that_is_not_there(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ASSAY_ACCOUNTS_TABLE", "nowhere")
    function = load()
    for event in (batch(scored("t-1")), batch(scored("t-2", decision="APPROVE")), SCHEDULE):
        with pytest.raises(StorageError):
            function.handler(event, TIME)
    close(function)


def test_every_invocation_is_counted(function: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    function.handler(batch(scored("t-1"), "poison"), TIME)
    function.handler(SCHEDULE, TIME)
    taken, carried_out, scheduled = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (taken["recorded"], taken["poison"]) == ([1.0], [1.0])
    assert (carried_out["Attempts"], scheduled["Attempts"]) == ([1.0], [0.0])
    assert {line["service"] for line in (taken, carried_out, scheduled)} == {"action_layer"}


def test_the_log_names_the_message_and_nothing_it_holds(
    function: ModuleType, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="assay")
    caplog.set_level(logging.DEBUG, logger="functions")
    function.handler(batch("acct-secret", scored("t-1", "acct-secret")), TIME)
    output = "".join([caplog.text, *capsys.readouterr()])
    assert output.count("poison: ") == 1
    assert "acct-secret" not in output


def test_nothing_slow_is_imported(environment: pytest.MonkeyPatch) -> None:
    program = f"import sys, {MODULE}; print(*sys.modules)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], env={**os.environ}, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    slow = {"boto3", "numpy", "polars", "starlette", "mangum", "sqlite3", "argon2", "moto", "typer"}
    assert loaded & slow == set()


SAMPLES = sorted(path.name for path in (EVENTS / "action_layer").glob("*.json"))


def test_the_sample_events_give_what_is_expected(telling: ModuleType, keys: Path) -> None:
    token = tokens.mint(keys, "shop", ("accounts:read",), 300)
    files = [file for file in EXPECTED if file.startswith("action_layer/")]
    assert [fault for file in files for fault in faults(file, outcome(telling.handler, sample(file, token)))] == []
    assert len(files) == len(SAMPLES) == 12
