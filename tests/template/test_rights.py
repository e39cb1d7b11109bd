"""The rights of the template against what the adapters really call: neither more nor less."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from assay.adapters.aws import outbox as outbox_module
from assay.adapters.aws.alerts import DynamoAlertStore
from assay.adapters.aws.attempts import DynamoAttemptStore
from assay.adapters.aws.audit import DynamoAuditAnchorStore
from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.decisions import DynamoDecisionStore
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.profile import DynamoProfileStore
from assay.adapters.aws.profile_log import ProfileLog
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.secrets import read_secrets
from assay.adapters.aws.service_clients import DynamoServiceClientStore
from assay.adapters.aws.sessions import DynamoSessionStore
from assay.adapters.aws.signing_keys import SecretSigningKeys
from assay.adapters.aws.table import Table
from assay.adapters.aws.users import DynamoUserStore
from assay.alerts.records import MAIL, Alert, Filter, NewAlert
from assay.alerts.windows import Limits
from assay.audit import START as CHAIN_START
from assay.audit import Entry, seal
from assay.features.transaction import Login
from assay.identity.records import ServiceClient, Session, Status, User
from assay.identity.scopes import Role
from assay.identity.signing import KeyRing
from assay.moments import now
from assay.schemas.event import Event
from assay.schemas.stages import StandInUsage
from functions.outbox_sweeper.sweeper import Sweeper
from local.aws import resources
from local.aws.moto_server import moto, one_at_a_time, serving
from tests.contract.installations import PATIENT_S, START, record, run, transaction
from tests.template.account import WRITES, Noting, Right
from tests.template.rights import statements_of
from tests.template.stack import as_list, functions, stack

NAME = "of-this-test"
WEBHOOK = "arn:aws:secretsmanager:us-east-1:123456789012:secret:assay-local/webhooks/siem"
STORES = ("dynamodb:", "sns:", "secretsmanager:")


class Account:
    """Takes every call of a client to DynamoDB or SNS, finds nothing, and notes the right that the call needs."""

    def __init__(self, waiting: list[dict[str, Any]] | None = None) -> None:
        self.needed: set[Right] = set()
        self._waiting = waiting or []

    async def get_item(self, TableName: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - AWS's names
        self.needed.add(("dynamodb:GetItem", f"{TableName}.Arn"))
        return {}

    async def query(self, TableName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.needed.add(("dynamodb:Query", f"{TableName}.Arn"))
        return {"Items": self._waiting}

    async def put_item(self, TableName: str, **_: Any) -> None:  # noqa: N803
        self.needed.add(("dynamodb:PutItem", f"{TableName}.Arn"))

    async def delete_item(self, TableName: str, **_: Any) -> None:  # noqa: N803
        self.needed.add(("dynamodb:DeleteItem", f"{TableName}.Arn"))

    async def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803
        for item in TransactItems:
            ((operation, details),) = item.items()
            self.needed.add((f"dynamodb:{WRITES[operation]}", f"{details['TableName']}.Arn"))

    async def publish(self, TopicArn: str, **_: Any) -> None:  # noqa: N803
        self.needed.add(("sns:Publish", TopicArn))


@pytest.mark.parametrize("choice", ["all_separate", "one_function"])
def test_the_orchestrator_may_do_what_its_stores_do(choice: str) -> None:
    account = Account()
    log = ProfileLog(account, "ProfileTable", clock=lambda: START)
    outbox = DynamoOutbox(account, "OutboxTable", SnsEvents(account, "EventsTopic"))
    profile, decisions = DynamoProfileStore(log), DynamoDecisionStore(account, "DecisionsTable", log, outbox)

    async def everything() -> None:
        await profile.observe("bank", transaction(1))
        await profile.retract("bank", transaction(1))
        await profile.record_login("bank", Login("l-1", START, "a", False))
        await decisions.find("bank", "t-1")
        await decisions.stand_in_usage("a")
        for count in (1, 2, 0):
            await decisions.commit(record(transaction(1), StandInUsage(count=count, amount=5.0)))
        await DynamoRevocations(account, "IdentityTable").is_revoked("s")

    run(everything)
    assert account.needed == _granted(choice, "orchestrator")


def test_the_sweeper_may_do_what_its_outbox_does() -> None:
    body = record(transaction(1)).event
    account = Account([{"pk": {"S": "O#1"}, "sk": {"S": f"{START:020d}#bank#t-1"}, "body": {"B": body}}])
    outbox = DynamoOutbox(account, "OutboxTable", SnsEvents(account, "EventsTopic"))
    result = run(lambda: Sweeper(outbox, after_s=60).sweep(lambda: True))
    assert result.swept == outbox.shards
    assert account.needed == _granted("all_separate", "outbox_sweeper")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of moto, with the tables, the topic and the secret that the scenarios need."""
    for name, value in resources.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(outbox_module, "PUBLISH_WITHIN_S", PATIENT_S)
    with serving(one_at_a_time(moto())) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        template = {name: r["Properties"] for name, r in stack("all_separate").items() if "Table" in r["Type"]}
        dynamodb = resources.client("dynamodb", address)
        for name, properties in template.items():
            known = {key: properties[key] for key in ("AttributeDefinitions", "BillingMode", "KeySchema")}
            dynamodb.create_table(TableName=f"{name}-{NAME}", **known)
        resources.client("sns", address).create_topic(Name=f"EventsTopic-{NAME}")
        keys = KeyRing.new(0).to_json()
        secrets = resources.client("secretsmanager", address)
        made = [
            secrets.create_secret(Name=f"SigningKeysSecret-{NAME}", SecretString=keys)["ARN"],
            secrets.create_secret(Name="assay-local/webhooks/siem", SecretString="whsec")["ARN"],
        ]
        yield address
        for name in template:
            dynamodb.delete_table(TableName=f"{name}-{NAME}")
        for secret in made:
            secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


@dataclass
class Process:
    """Clients whose calls are noted."""

    dynamodb: Noting
    sns: Noting
    secretsmanager: Noting

    def outbox(self) -> DynamoOutbox:
        return DynamoOutbox(
            self.dynamodb,
            f"OutboxTable-{NAME}",
            SnsEvents(self.sns, f"arn:aws:sns:us-east-1:123456789012:EventsTopic-{NAME}"),
        )

    def revocations(self) -> DynamoRevocations:
        return DynamoRevocations(self.dynamodb, f"IdentityTable-{NAME}", lambda: 0.0)


@asynccontextmanager
async def process(needed: set[Right]) -> AsyncIterator[Process]:
    clients = Clients()
    try:
        opened = [await clients.open(name, patient(PATIENT_S)) for name in ("dynamodb", "sns", "secretsmanager")]
        yield Process(*(Noting(client, needed) for client in opened))
    finally:
        await clients.close()


async def users_do(here: Process) -> None:
    """Everything that stores of identity can be asked for, and what follows an answer that does not come."""
    table, revocations = Table(here.dynamodb, f"IdentityTable-{NAME}", here.outbox(), "identity"), here.revocations()
    users, sessions = DynamoUserStore(table, revocations), DynamoSessionStore(table, revocations)
    clients, attempts = DynamoServiceClientStore(table, revocations), DynamoAttemptStore(table)
    event = Event.now("user.registered", "system")

    for n in (1, 2):
        user = User(f"u-{n}", f"{n}@b.example", "N", "hash", Role.ADMIN, Status.ACTIVE, now())
        assert await users.add(user, event)
    assert await users.by_email("2@b.example") == await users.get("u-2") == (await users.page("u-1", 1))[0]
    session = Session("s-1", "u-2", b"1", now(), now() + 10**9)
    assert await sessions.add(session, 1, event)
    assert await sessions.of_user("u-2") == [session]
    assert await sessions.rotate(session, b"2", session.expires_at + 1)
    assert await users.change(replace(user, status=Status.DISABLED, version=2), event, ["s-1"])
    assert await sessions.add(replace(session, id="s-2"), 2, event)
    assert await sessions.end("s-2", event)
    here.dynamodb.lose("transact_write_items")
    client = ServiceClient("c-1", b"s", (), Status.ACTIVE, "s-3", now())
    assert await clients.add(client, event)
    assert await clients.page("", 5) == [await clients.get("c-1")]
    assert await clients.change(replace(client, session="s-4", version=2), event, ["s-3"])
    assert await revocations.is_revoked("s-3")
    assert await attempts.count("k", 60) == 1
    await attempts.take_back("k", 60)
    await attempts.remember("k", 60)
    assert await attempts.remembers("k")
    assert await SecretSigningKeys(here.secretsmanager, f"SigningKeysSecret-{NAME}").ring()


async def alerts_do(here: Process) -> None:
    """Everything but `redrive`, which is an operator's command."""
    store = DynamoAlertStore(here.dynamodb, f"AlertsTable-{NAME}")
    limits = Limits(1, 60_000_000)
    alerts = [Alert(f"a-{n}", "r", 10**9 + n, "k.k", "c", f"t-{n}", "DECLINE", "{}") for n in range(2)]
    assert await store.record([NewAlert(alert, ("a@b.example",), ("hook",), limits) for alert in alerts]) == 2
    for channel in (MAIL, "hook"):
        for message in await store.claim(channel, 10**15, 2 * 10**15, 8):
            await store.carried(message, 10)
            await store.settle(message)
    assert len(await store.page(Filter(client_id="c"), None, 5)) == 2
    await read_secrets(here.secretsmanager, [WEBHOOK])
    await here.revocations().is_revoked("s")


async def audit_log_does(here: Process) -> None:
    """Everything that the anchor can be asked for."""
    anchor = DynamoAuditAnchorStore(here.dynamodb, f"AuditAnchorTable-{NAME}")
    entry = Entry("transaction.scored", "shop", "t-1", b"{}")
    batch = seal(CHAIN_START, [entry], datetime.now(UTC))
    await anchor.intend(CHAIN_START, batch)
    await anchor.advance(batch, [entry])
    assert (await anchor.read()).head == batch.head
    assert await anchor.recorded([entry]) == {entry.identity}
    assert await anchor.find(*entry.identity)
    await here.revocations().is_revoked("s")


@pytest.mark.parametrize(
    ("folder", "scenario"), [("users", users_do), ("alerts", alerts_do), ("audit_log", audit_log_does)]
)
def test_a_function_may_do_what_its_stores_do(
    aws: str, folder: str, scenario: Callable[[Process], Awaitable[None]]
) -> None:
    needed: set[Right] = set()

    async def everything() -> None:
        async with process(needed) as here:
            await scenario(here)

    run(everything)
    assert needed == _granted("all_separate", folder)


def _granted(choice: str, folder: str) -> set[Right]:
    """On tables, topics and secrets."""
    return {
        (action, resource)
        for statement in statements_of(stack(choice), functions(stack(choice))[folder])
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if action.startswith(STORES)
    }
