"""The commands for a deployed installation's keys and first admin. Region and credentials are the environment's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from assay.adapters.aws.attempts import DynamoAttemptStore
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.sessions import DynamoSessionStore
from assay.adapters.aws.signing_keys import rotate
from assay.adapters.aws.table import open_table
from assay.adapters.aws.users import DynamoUserStore
from assay.schemas.event import SYSTEM, Event
from functions.users.accounts import Accounts
from functions.users.passwords import Passwords
from functions.users.throttle import Throttle
from local.identity import add_admin, refusals

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Tables:
    """Where users are, and how a new one is told of."""

    users: str
    outbox: str
    events_topic: str
    """ARN."""


def create_admin(tables: Tables, email: str, name: str, password: str) -> str:
    """Adds an active admin; the id."""

    async def work(clients: Clients) -> str:
        table = await open_table(clients, tables.users, tables.outbox, tables.events_topic, "identity")
        revocations = DynamoRevocations(table.client, table.name)
        users, sessions = DynamoUserStore(table, revocations), DynamoSessionStore(table, revocations)
        accounts = Accounts(users, sessions, Passwords(), Throttle(DynamoAttemptStore(table)))
        return await add_admin(accounts, email, name, password)

    with refusals():
        return _run(work)


def rotate_keys(secret: str, jwks: str, events_topic: str, *, withdraw: bool) -> str:
    """Signs with a fresh key from now on, the first one in a secret without a value; its id."""

    async def work(clients: Clients) -> str:
        ring = await rotate(await clients.open("secretsmanager"), secret, jwks, time.time(), withdraw=withdraw)
        kid = ring.keys[0].jwk()["kid"]
        event = Event.now("keys.rotated", SYSTEM, kid=kid, withdrawn=withdraw)
        await SnsEvents(await clients.open("sns"), events_topic).publish(event.to_json())
        return kid

    return _run(work)


def _run(work: Callable[[Clients], Awaitable[Answer]]) -> Answer:
    async def with_clients() -> Answer:
        async with Clients() as clients:
            return await work(clients)

    return asyncio.run(with_clients())
