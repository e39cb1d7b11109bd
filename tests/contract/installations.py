"""The two places where Assay keeps its state, so that one suite can ask the same of both."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from aiobotocore.config import AioConfig

from assay.accounts.orders import CardOrder
from assay.accounts.ports import AccountStore, CardOrderStore
from assay.adapters.aws import clients, outbox
from assay.adapters.aws.account_items import ORDERS, read_order
from assay.adapters.aws.accounts import DynamoAccountStore, DynamoDenyList
from assay.adapters.aws.attempts import DynamoAttemptStore
from assay.adapters.aws.card_orders import DynamoCardOrderStore
from assay.adapters.aws.challenges import DynamoChallengeStore, DynamoFactorStore
from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.decisions import DynamoDecisionStore
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.profile import DynamoProfileStore
from assay.adapters.aws.profile_log import MAX_ROWS, ProfileLog
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.service_clients import DynamoServiceClientStore
from assay.adapters.aws.sessions import DynamoSessionStore
from assay.adapters.aws.table import Table
from assay.adapters.aws.users import DynamoUserStore
from assay.adapters.sqlite import card_orders
from assay.adapters.sqlite import identity as sqlite_identity
from assay.adapters.sqlite.accounts import SqliteAccountStore
from assay.adapters.sqlite.card_orders import SqliteCardOrderStore
from assay.adapters.sqlite.challenges import SqliteChallengeStore, SqliteFactorStore
from assay.adapters.sqlite.identity import (
    SqliteAttemptStore,
    SqliteServiceClientStore,
    SqliteSessionStore,
    SqliteUserStore,
)
from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.adapters.sqlite.revocations import SqliteRevocations
from assay.challenges.ports import ChallengeStore, FactorStore
from assay.features.transaction import Transaction
from assay.identity.ports import AttemptStore, Revocations, ServiceClientStore, SessionStore, UserStore
from assay.ports import DecisionRecord, DecisionStore, DenyList, ProfileStore
from assay.schemas.stages import StandInUsage
from local.aws import resources
from local.aws.template import Template

ROOT = Path(__file__).parents[2]
DECIDED = datetime(2026, 3, 1, tzinfo=UTC)
START = 1_770_000_000_000_000
SECOND = 1_000_000


PATIENT_S = 30.0
"""A test does not fail because the machine is slow."""


def unhurried(undo: pytest.MonkeyPatch) -> None:
    """The product's clients wait so long, too: moto does not know a call that is sent again for the same one."""

    def longer(timeout_s: float = PATIENT_S, attempts: int = 2) -> AioConfig:
        return patient(timeout_s, attempts)

    undo.setattr(clients, "patient", longer)
    undo.setattr(outbox, "PUBLISH_WITHIN_S", PATIENT_S)


@cache
def template() -> Template:
    return Template.load(ROOT / "template.yaml")


def create_table(dynamodb: Any, logical_id: str, name: str) -> None:
    """A table as the template describes it. `dynamodb`: a boto3 client."""
    properties = template().resources[logical_id]["Properties"]
    known = {key: properties[key] for key in ("AttributeDefinitions", "BillingMode", "KeySchema")}
    dynamodb.create_table(TableName=name, **known)


@dataclass
class Stores:
    """What one process has."""

    profile: ProfileStore
    decisions: DecisionStore


@dataclass
class Identity:
    """What one process that keeps users has."""

    users: UserStore
    sessions: SessionStore
    clients: ServiceClientStore
    attempts: AttemptStore
    revocations: Revocations


@dataclass
class Accounts:
    """What one process that acts on verdicts has."""

    accounts: AccountStore
    orders: CardOrderStore
    deny_list: DenyList


@dataclass
class Stepping:
    """What one process that asks customers has."""

    challenges: ChallengeStore
    factors: FactorStore


@dataclass
class Clock:
    """Stands still. Microseconds since the epoch."""

    now: int = START

    def __call__(self) -> int:
        return self.now


class SqliteInstallation:
    """A file. One process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock = Clock()

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Stores]:
        ledger = SqliteLedger(self._path)
        try:
            yield Stores(SqliteProfileStore(ledger, capacity=64), SqliteDecisionStore(ledger))
        finally:
            await ledger.close()

    @asynccontextmanager
    async def identity(self) -> AsyncIterator[Identity]:
        ledger = SqliteLedger(self._path)
        revocations = SqliteRevocations(ledger)
        stores = (
            store(ledger, revocations) for store in (SqliteUserStore, SqliteSessionStore, SqliteServiceClientStore)
        )
        with patch.object(sqlite_identity, "now", self.clock):
            try:
                yield Identity(*stores, SqliteAttemptStore(ledger), revocations)
            finally:
                await ledger.close()

    @asynccontextmanager
    async def accounts(self) -> AsyncIterator[Accounts]:
        ledger = SqliteLedger(self._path)
        try:
            store = SqliteAccountStore(ledger, self.clock)
            yield Accounts(store, SqliteCardOrderStore(ledger), store)
        finally:
            await ledger.close()

    @asynccontextmanager
    async def stepping(self) -> AsyncIterator[Stepping]:
        ledger = SqliteLedger(self._path)
        try:
            yield Stepping(SqliteChallengeStore(ledger), SqliteFactorStore(ledger))
        finally:
            await ledger.close()

    async def events(self) -> set[bytes]:
        """All events of what was committed that consumers have had, or will have."""
        return set(await self.announced())

    async def announced(self) -> list[bytes]:
        """The same events, each as often as it is there."""
        ledger = SqliteLedger(self._path)
        outbox = SqliteOutbox(ledger, ["test"])
        await outbox.open()
        found = [event.body for event in await outbox.pending("test", 1_000)]
        await ledger.close()
        return found

    def effects(self) -> dict[tuple[str, str], str]:
        """What became of each transaction, by client and id."""
        with closing(sqlite3.connect(self._path)) as file:
            rows = file.execute("SELECT client_id, transaction_id, effect FROM actions").fetchall()
        return {(client, id_): effect for client, id_, effect in rows}

    def orders(self) -> list[CardOrder]:
        """Every order about cards, by account and sequence."""
        with closing(sqlite3.connect(self._path)) as file:
            return [card_orders.read(row) for row in file.execute(f"{card_orders.ALL} ORDER BY account_id, sequence")]


TABLES = ("Decisions", "Profile", "Outbox", "Identity", "Accounts", "Labels")


class AwsInstallation:
    """Tables, made as the template says, and a topic with a queue behind it."""

    def __init__(self) -> None:
        self.endpoint = os.environ["AWS_ENDPOINT_URL"]
        self.suffix = uuid4().hex[:12]
        self.clock = Clock()
        self.api = {name: resources.client(name, self.endpoint) for name in ("dynamodb", "sns", "sqs")}
        self.tables = {name: self._table(f"{name}Table") for name in TABLES}
        self.topic = self.api["sns"].create_topic(Name=f"events-{self.suffix}")["TopicArn"]
        self.queue = self.api["sqs"].create_queue(QueueName=f"queue-{self.suffix}")["QueueUrl"]
        arn = self.topic.replace(":sns:", ":sqs:").replace("events-", "queue-")
        raw = {"RawMessageDelivery": "true"}
        self.api["sns"].subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes=raw)

    def _table(self, logical_id: str) -> str:
        name = f"{logical_id}-{self.suffix}"
        create_table(self.api["dynamodb"], logical_id, name)
        return name

    @asynccontextmanager
    async def process(self, max_rows: int = MAX_ROWS, timeout_s: float = PATIENT_S) -> AsyncIterator[Stores]:
        clients = Clients()
        try:
            dynamodb = await clients.open("dynamodb", patient(timeout_s))
            yield self.stores(dynamodb, await clients.open("sns", patient(timeout_s)), max_rows)
        finally:
            await clients.close()

    def stores(self, dynamodb: Any, sns: Any, max_rows: int = MAX_ROWS) -> Stores:
        log = ProfileLog(dynamodb, self.tables["Profile"], self.clock, max_rows)
        outbox = DynamoOutbox(dynamodb, self.tables["Outbox"], SnsEvents(sns, self.topic))
        return Stores(DynamoProfileStore(log), DynamoDecisionStore(dynamodb, self.tables["Decisions"], log, outbox))

    @asynccontextmanager
    async def identity(self, timeout_s: float = PATIENT_S) -> AsyncIterator[Identity]:
        clients = Clients()
        try:
            dynamodb, sns = [await clients.open(service, patient(timeout_s)) for service in ("dynamodb", "sns")]
            outbox = DynamoOutbox(dynamodb, self.tables["Outbox"], SnsEvents(sns, self.topic))
            table = Table(dynamodb, self.tables["Identity"], outbox, "identity")
            revocations = DynamoRevocations(dynamodb, self.tables["Identity"], lambda: self.clock.now / SECOND)
            yield Identity(
                DynamoUserStore(table, revocations),
                DynamoSessionStore(table, revocations, self.clock),
                DynamoServiceClientStore(table, revocations),
                DynamoAttemptStore(table, self.clock),
                revocations,
            )
        finally:
            await clients.close()

    @asynccontextmanager
    async def accounts(self, timeout_s: float = PATIENT_S) -> AsyncIterator[Accounts]:
        clients = Clients()
        try:
            dynamodb, sns = [await clients.open(service, patient(timeout_s)) for service in ("dynamodb", "sns")]
            outbox = DynamoOutbox(dynamodb, self.tables["Outbox"], SnsEvents(sns, self.topic))
            table = Table(dynamodb, self.tables["Accounts"], outbox, "accounts")
            deny_list = DynamoDenyList(dynamodb, table.name, self.clock)
            yield Accounts(DynamoAccountStore(table), DynamoCardOrderStore(table), deny_list)
        finally:
            await clients.close()

    @asynccontextmanager
    async def stepping(self, timeout_s: float = PATIENT_S) -> AsyncIterator[Stepping]:
        if "Challenges" not in self.tables:
            self.tables["Challenges"] = self._table("ChallengesTable")
        clients = Clients()
        try:
            dynamodb, sns = [await clients.open(service, patient(timeout_s)) for service in ("dynamodb", "sns")]
            outbox = DynamoOutbox(dynamodb, self.tables["Outbox"], SnsEvents(sns, self.topic))
            table = Table(dynamodb, self.tables["Challenges"], outbox, "challenges")
            yield Stepping(DynamoChallengeStore(table), DynamoFactorStore(table))
        finally:
            await clients.close()

    async def events(self) -> set[bytes]:
        """All events of what was committed that consumers have had, or will have."""
        return set(await self.announced())

    async def announced(self) -> list[bytes]:
        """The same events, each as often as it is there."""
        waiting = [bytes(item["body"]["B"]) for item in self.items("Outbox")]
        return waiting + [body for body, _ in self.published()]

    def published(self) -> list[tuple[bytes, dict[str, str]]]:
        """What has come out of the topic since the last time, with its attributes."""
        found: list[tuple[bytes, dict[str, str]]] = []
        while (
            messages := self.api["sqs"]
            .receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            .get("Messages")
        ):
            for message in messages:
                attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
                found.append((message["Body"].encode(), attributes))
                self.api["sqs"].delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def effects(self) -> dict[tuple[str, str], str]:
        """What became of each transaction, by client and id."""
        found = [item for item in self.items("Accounts") if item["pk"]["S"].startswith("T#")]
        return {(item["client_id"]["S"], item["transaction_id"]["S"]): item["effect"]["S"] for item in found}

    def orders(self) -> list[CardOrder]:
        """Every order about cards, by account and sequence."""
        found = [read_order(item) for item in self.items("Accounts") if item["sk"]["S"].startswith(ORDERS)]
        return sorted(found, key=lambda order: (order.account_id, order.sequence))

    def items(self, table: str) -> list[dict[str, Any]]:
        """Everything in the table."""
        pages = self.api["dynamodb"].get_paginator("scan").paginate(TableName=self.tables[table])
        return [item for page in pages for item in page["Items"]]


Installation = SqliteInstallation | AwsInstallation


def run(scenario: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario(), 120))


def transaction(n: int, account: str | None = "a", seconds: float | None = None, **fields: Any) -> Transaction:
    given = {"amount": 100_000 + n, "country": "DE", "device": "d", "address": "192.0.2.1", "counterparty": "c"}
    time = START + int((n if seconds is None else seconds) * SECOND)
    return Transaction(f"t-{n}", time, account, currency="EUR", channel="web", auth_method="otp", **{**given, **fields})


def record(tx: Transaction, stand_in: StandInUsage | None = None, verdict: bytes | None = None) -> DecisionRecord:
    name = tx.transaction_id
    body = b'{"event":"transaction.scored","verdict":{"transaction_id":"%s","decision":"APPROVE"}}' % name.encode()
    return DecisionRecord("bank", name, b"print", verdict or f'"{name}"'.encode(), DECIDED, tx, body, stand_in)
