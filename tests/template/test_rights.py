"""The rights of the template against what the adapters really call: neither more nor less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from assay.adapters.aws.accounts import DynamoDenyList
from assay.adapters.aws.decisions import DynamoDecisionStore
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.labels_effects import DynamoEffectStore
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.profile import DynamoProfileStore
from assay.adapters.aws.profile_log import ProfileLog
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.table import Table
from assay.features.transaction import Login
from assay.identity.signing import KeyRing
from assay.schemas.stages import StandInUsage
from functions.outbox_sweeper.sweeper import Sweeper
from local.aws import resources
from local.aws.moto_server import moto, one_at_a_time, serving
from tests.contract.installations import START, create_table, record, run, transaction, unhurried
from tests.template.account import WRITES, Right
from tests.template.calls import NAME, SCENARIOS, process
from tests.template.rights import statements_of
from tests.template.stack import as_list, functions, of_type, stack

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
        await DynamoDenyList(account, "AccountsTable").denies("a")
        labels = DynamoEffectStore(Table(account, "LabelsTable", outbox, "labels"))
        await labels.standing({"account": "a", "device": "d", "counterparty": "c"})

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
    unhurried(monkeypatch)
    with serving(one_at_a_time(moto())) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        tables = of_type(stack("all_separate"), "AWS::DynamoDB::Table")
        dynamodb = resources.client("dynamodb", address)
        for name in tables:
            create_table(dynamodb, name, f"{name}-{NAME}")
        resources.client("sns", address).create_topic(Name=f"EventsTopic-{NAME}")
        keys = KeyRing.new(0).to_json()
        secrets = resources.client("secretsmanager", address)
        made = [
            secrets.create_secret(Name=f"CardManagementSecret-{NAME}", SecretString="whsec_")["ARN"],
            secrets.create_secret(Name=f"InstallationKeySecret-{NAME}", SecretString="a" * 64)["ARN"],
            secrets.create_secret(Name=f"TrainerKeySecret-{NAME}", SecretString="PEM")["ARN"],
            secrets.create_secret(Name=f"SigningKeysSecret-{NAME}", SecretString=keys)["ARN"],
            secrets.create_secret(Name="assay-local/webhooks/siem", SecretString="whsec")["ARN"],
        ]
        yield address
        for name in tables:
            dynamodb.delete_table(TableName=f"{name}-{NAME}")
        for secret in made:
            secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("folder", SCENARIOS)
def test_a_function_may_do_what_its_stores_do(aws: str, folder: str) -> None:
    needed: set[Right] = set()

    async def everything() -> None:
        async with process(needed) as here:
            await SCENARIOS[folder](here)

    run(everything)
    assert needed == _granted("all_separate", folder)


def _granted(choice: str, folder: str) -> set[Right]:
    """On tables, topics and secrets."""
    return {
        (action, resource)
        for statement in statements_of(stack(choice), functions(stack(choice))[folder])
        for action in as_list(statement["Action"])
        for resource in as_list(statement.get("Resource", []))
        if action.startswith(STORES)
    }
