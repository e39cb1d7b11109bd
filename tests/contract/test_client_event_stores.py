"""One suite for both: feeds of clients, their webhooks and deliveries, over SQLite and over DynamoDB."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from assay.adapters.aws.client_events import DynamoDeliveryStore, DynamoFeedStore
from assay.adapters.aws.client_events_webhooks import DynamoWebhookStore
from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.events import SnsEvents
from assay.adapters.aws.outbox import DynamoOutbox
from assay.adapters.aws.table import Table
from assay.adapters.sqlite.client_events import SqliteDeliveryStore, SqliteFeedStore
from assay.adapters.sqlite.client_events_webhooks import SqliteWebhookStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.client_events.ports import DeliveryStore, FeedStore, WebhookStore
from assay.client_events.records import (
    KEPT,
    Delivery,
    DeliveryState,
    Health,
    News,
    SealedSecret,
    Webhook,
    WebhookStatus,
)
from assay.errors import StorageError
from assay.schemas.event import Event
from tests.contract.faults import Faults
from tests.contract.installations import PATIENT_S, SECOND, START, AwsInstallation, SqliteInstallation, run

MOST = 5
PARALLEL = 8
MINUTE = 60 * SECOND


@dataclass
class Stores:
    """What one process has."""

    feed: FeedStore
    webhooks: WebhookStore
    deliveries: DeliveryStore


class Place(Protocol):
    """Where it is kept."""

    def process(self) -> Any:
        """One process's stores, as a context manager."""
        ...

    async def announced(self) -> list[bytes]:
        """Every event that was committed."""
        ...


class File:
    """A file, of one process."""

    def __init__(self, installation: SqliteInstallation, path: Path) -> None:
        self._path = path
        self.announced = installation.announced

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Stores]:
        ledger = SqliteLedger(self._path)
        try:
            yield Stores(SqliteFeedStore(ledger), SqliteWebhookStore(ledger), SqliteDeliveryStore(ledger))
        finally:
            await ledger.close()


class Tables:
    """A table, made as the template says."""

    def __init__(self, installation: AwsInstallation) -> None:
        self.installation = installation
        self.clock = START
        self.announced = installation.announced
        installation.tables["ClientEvents"] = installation._table("ClientEventsTable")

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Stores]:
        clients = Clients()
        try:
            dynamodb, sns = [await clients.open(service, patient(PATIENT_S)) for service in ("dynamodb", "sns")]
            outbox = DynamoOutbox(dynamodb, self.installation.tables["Outbox"], SnsEvents(sns, self.installation.topic))
            table = Table(dynamodb, self.installation.tables["ClientEvents"], outbox, "client events")
            yield Stores(
                DynamoFeedStore(table, lambda: self.clock), DynamoWebhookStore(table), DynamoDeliveryStore(table)
            )
        finally:
            await clients.close()


@pytest.fixture
def tables(aws: AwsInstallation) -> Tables:
    return Tables(aws)


@pytest.fixture(params=["sqlite", "aws"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return File(request.getfixturevalue("sqlite"), tmp_path / "assay.db")
    found: Tables = request.getfixturevalue("tables")
    return found


def news(n: int, client: str = "shop", kind: str = "account.frozen") -> News:
    return News(client, f"evt_{n}", kind, START, {"account_id": f"a-{n}", "version": n, "until": None})


def webhook(name: str = "1", client: str = "shop", kinds: tuple[str, ...] | None = None) -> Webhook:
    secrets = (SealedSecret(b"\xff\x00sealed"), SealedSecret(b"old", START))
    return Webhook(f"whk_{name}", client, "https://shop.example/hooks?key=ünal", kinds, START, secrets)


def event(kind: str = "webhook.created") -> Event:
    return Event.now(kind, "shop", webhook_id="whk_1")


async def numbers(stores: Stores, client: str = "shop", after: int = 0) -> list[tuple[int, str]]:
    return [(entry.sequence, entry.event_id) for entry in await stores.feed.page(client, after, 1_000)]


# Feeds


def test_a_feed_is_numbered_without_gaps_and_each_client_has_its_own(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            assert await stores.feed.page("shop", 0, 10) == []
            assert await stores.feed.record([news(1), news(7, "bank"), news(2)], START) == 3
            assert await stores.feed.record([news(3)], START + 1) == 1
        async with place.process() as stores:
            found = await stores.feed.page("shop", 0, 10)
            assert [(entry.sequence, entry.event_id, entry.at) for entry in found] == [
                (1, "evt_1", START),
                (2, "evt_2", START),
                (3, "evt_3", START + 1),
            ]
            assert json.loads(found[1].body) == {
                "id": "evt_2",
                "sequence": 2,
                "type": "account.frozen",
                "timestamp": "2026-02-02T02:40:00Z",
                "data": {"account_id": "a-2", "version": 2, "until": None},
            }
            assert await numbers(stores, "bank") == [(1, "evt_7")]
            assert await numbers(stores, "shop", 2) == [(3, "evt_3")]
            assert [entry.sequence for entry in await stores.feed.page("shop", 1, 1)] == [2]
            assert await numbers(stores, "sho") == await numbers(stores, "shop", 3) == []

    run(scenario)


def test_the_same_event_again_changes_nothing(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            assert await stores.feed.record([news(1), news(1), news(2)], START) == 2
            assert await stores.feed.record([news(2), news(3), news(1)], START + MINUTE) == 1
            assert await stores.feed.record([news(1, "bank")], START) == 1, "ids are a client's own"
            assert await numbers(stores) == [(1, "evt_1"), (2, "evt_2"), (3, "evt_3")]
            claimed = await stores.deliveries.claim("whk_1", START + MINUTE, START + 2 * MINUTE, 100)
            assert [delivery.event_id for delivery in claimed] == ["evt_1", "evt_2", "evt_3"]

    run(scenario)


def test_many_at_once_leave_one_order_that_who_reads_along_never_has_to_go_back_in(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            seen: list[tuple[int, str]] = []
            writing = [asyncio.create_task(_write(stores, n)) for n in range(PARALLEL)]
            while not all(task.done() for task in writing):
                seen += await numbers(stores, after=seen[-1][0] if seen else 0)
                await asyncio.sleep(0)
            await asyncio.gather(*writing)
            seen += await numbers(stores, after=seen[-1][0] if seen else 0)
            assert [number for number, _ in seen] == list(range(1, 3 * PARALLEL + 1))
            assert seen == await numbers(stores)
            assert len({name for _, name in seen}) == 3 * PARALLEL

    run(scenario)


async def _write(stores: Stores, n: int) -> None:
    """Some of its own, one that its neighbour writes too."""
    mine = [news(3 * n + k) for k in range(3)]
    shared = news(3 * ((n + 1) % PARALLEL))
    await stores.feed.record([*mine, shared], START)


def test_more_than_one_transaction_holds(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            for n in range(MOST):
                assert await stores.webhooks.add(webhook(str(n)), event(), MOST)
            assert await stores.feed.record([news(n) for n in range(20)], START) == 20
            assert await numbers(stores) == [(n + 1, f"evt_{n}") for n in range(20)]
            assert len(await stores.deliveries.claim("whk_4", START, START + 1, 100)) == 20

    run(scenario)


# Webhooks


def test_a_webhook_is_kept_as_it_was_given_with_its_event(place: Place) -> None:
    async def scenario() -> None:
        told = [event() for _ in range(2)]
        both = webhook("1", kinds=("account.frozen", "decision.final")), webhook("2")
        async with place.process() as stores:
            for one, about in zip(both, told, strict=True):
                assert await stores.webhooks.add(one, about, MOST)
        async with place.process() as stores:
            assert await stores.webhooks.get("shop", "whk_1") == both[0]
            assert await stores.webhooks.get("bank", "whk_1") is None
            assert await stores.webhooks.get("shop", "whk_3") is None
            assert await stores.webhooks.of_client("shop") == [(both[0], Health()), (both[1], Health())]
            assert await stores.webhooks.of_client("sho") == await stores.webhooks.of_client("shop.x") == []
        assert sorted(await place.announced()) == sorted(one.to_json() for one in told)

    run(scenario)


def test_a_client_has_so_many_whoever_adds_them(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            many = [webhook(str(n)) for n in range(MOST + 3)]
            added = await asyncio.gather(*(stores.webhooks.add(one, event(), MOST) for one in many))
            assert sorted(added) == [False] * 3 + [True] * MOST
            assert await stores.webhooks.add(webhook("b", "bank"), event(), MOST)
            assert await stores.webhooks.remove(many[added.index(True)], event("webhook.deleted"))
            assert await stores.webhooks.add(webhook("x"), event(), MOST)
            assert not await stores.webhooks.add(webhook("y"), event(), MOST)
        assert len(await place.announced()) == MOST + 3

    run(scenario)


def test_of_changes_of_one_version_one_is_kept(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            versions = [replace(webhook(), reason=str(n), version=2) for n in range(PARALLEL)]
            kept = await asyncio.gather(*(stores.webhooks.change(one, event()) for one in versions))
            assert kept.count(True) == 1
            assert await stores.webhooks.get("shop", "whk_1") == versions[kept.index(True)]
            assert await stores.webhooks.change(replace(webhook("none"), version=2), event()) is False
        assert len(await place.announced()) == 2

    run(scenario)


def test_what_is_removed_is_gone_once_and_nothing_is_due_for_it(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            await stores.feed.record([news(1)], START)
            assert [each[0].id for each in await stores.deliveries.due(START)] == ["whk_1"]
            removed = await asyncio.gather(
                *(stores.webhooks.remove(webhook(), event("webhook.deleted")) for _ in range(PARALLEL))
            )
            assert removed.count(True) == 1
            assert await stores.webhooks.of_client("shop") == await stores.deliveries.due(START) == []
            await stores.deliveries.settle(webhook(), Delivery("whk_1", "evt_1", b"", START, START), None, START)
            assert await stores.webhooks.of_client("shop") == []
        assert len(await place.announced()) == 2

    run(scenario)


# Deliveries


def test_each_webhook_gets_the_kinds_that_it_wants(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            for one in (
                webhook("all"),
                webhook("some", kinds=("decision.final",)),
                webhook("off"),
                webhook("b", "bank"),
            ):
                await stores.webhooks.add(one, event(), MOST)
            off = replace(webhook("off"), status=WebhookStatus.DISABLED, reason="gone", version=2)
            assert await stores.webhooks.change(off, event("webhook.disabled"))
            await stores.feed.record([news(1), news(2, kind="decision.final")], START)
            assert {each[0].id for each in await stores.deliveries.due(START)} == {"whk_all", "whk_some"}
            assert await stores.deliveries.due(START - 1) == []
            names = {}
            for name in ("all", "some", "off", "b"):
                claimed = await stores.deliveries.claim(f"whk_{name}", START, START + MINUTE, 10)
                names[name] = [delivery.event_id for delivery in claimed]
            assert names == {"all": ["evt_1", "evt_2"], "some": ["evt_2"], "off": [], "b": []}
            (entry, _) = await stores.feed.page("shop", 0, 10)
            assert await stores.deliveries.due(START + MINUTE - 1) == []
            (first, _) = await stores.deliveries.claim("whk_all", START + MINUTE, START + 2 * MINUTE, 10)
            assert first.body == entry.body

    run(scenario)


def test_a_claim_is_one_processes_until_it_runs_out(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            await stores.feed.record([news(n) for n in range(6)], START)
            until = START + MINUTE
            claims = await asyncio.gather(*(stores.deliveries.claim("whk_1", START, until, 4) for _ in range(4)))
            claims.append(await stores.deliveries.claim("whk_1", START, until, 6))
            names = [delivery.event_id for claim in claims for delivery in claim]
            assert sorted(names) == [f"evt_{n}" for n in range(6)]
            assert {(d.attempts, d.due_at) for claim in claims for d in claim} == {(1, until)}
            again = await stores.deliveries.claim("whk_1", until, until + MINUTE, 10)
            assert len(again) == 6 and {delivery.attempts for delivery in again} == {2}

    run(scenario)


def test_what_became_of_a_delivery_and_how_the_webhook_is_doing(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            await stores.feed.record([news(n) for n in range(3)], START)
            until = START + MINUTE
            taken, again, dead = await stores.deliveries.claim("whk_1", START, until, 3)
            failed = replace(again, due_at=until, error="HTTP 503")
            await stores.deliveries.settle(webhook(), again, failed, START + 1)
            given_up = replace(dead, state=DeliveryState.DEAD, error="HTTP 404")
            await stores.deliveries.settle(webhook(), dead, given_up, START + 2)
            ((_, health),) = await stores.webhooks.of_client("shop")
            assert health == Health(None, START + 2, START + 1, "HTTP 404")
            await stores.deliveries.settle(webhook(), taken, None, START + 3)
            ((_, health),) = await stores.webhooks.of_client("shop")
            assert health == Health(START + 3, START + 2, None, "HTTP 404")
            changed = replace(webhook(), secrets=(SealedSecret(b"new"),), version=2)
            assert await stores.webhooks.change(changed, event())
            assert await stores.webhooks.of_client("shop") == [(changed, health)]
            assert await stores.deliveries.claim("whk_1", until - 1, until, 9) == []
            (only,) = await stores.deliveries.claim("whk_1", until, until + MINUTE, 9)
            assert only == replace(failed, attempts=2, due_at=until + MINUTE)
            assert await stores.deliveries.redrive(until) == 1
            assert await stores.deliveries.redrive(until) == 0
            (alive,) = await stores.deliveries.claim("whk_1", until, until + MINUTE, 9)
            assert (alive.event_id, alive.attempts, alive.state) == (dead.event_id, 1, DeliveryState.PENDING)

    run(scenario)


def test_who_was_too_slow_changes_nothing_any_more(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            await stores.feed.record([news(1)], START)
            (slow,) = await stores.deliveries.claim("whk_1", START, START + MINUTE, 1)
            (quick,) = await stores.deliveries.claim("whk_1", START + MINUTE, START + 2 * MINUTE, 1)
            await stores.deliveries.settle(webhook(), slow, None, START)
            await stores.deliveries.settle(webhook(), slow, replace(slow, state=DeliveryState.DEAD), START)
            (third,) = await stores.deliveries.claim("whk_1", START + 2 * MINUTE, START + 3 * MINUTE, 1)
            assert third.attempts == quick.attempts + 1 == 3
            assert await stores.deliveries.redrive(START) == 0

    run(scenario)


def test_dead_deliveries_of_what_is_disabled_stay_dead(place: Place) -> None:
    async def scenario() -> None:
        async with place.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            await stores.feed.record([news(1)], START)
            (dead,) = await stores.deliveries.claim("whk_1", START, START + MINUTE, 1)
            await stores.deliveries.settle(webhook(), dead, replace(dead, state=DeliveryState.DEAD), START)
            off = replace(webhook(), status=WebhookStatus.DISABLED, version=2)
            await stores.webhooks.change(off, event("webhook.disabled"))
            assert await stores.deliveries.redrive(START) == 0
            await stores.feed.record([news(2)], START)
            assert await stores.deliveries.due(START + MINUTE) == []

    run(scenario)


# One of the two


def test_what_is_old_is_purged_and_numbers_do_not_come_again(sqlite: SqliteInstallation, tmp_path: Path) -> None:
    async def scenario() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        feed = SqliteFeedStore(ledger)
        try:
            await SqliteWebhookStore(ledger).add(webhook(), event(), MOST)
            await feed.record([news(1)], START)
            await feed.record([news(2)], START + 1)
            await feed.purge(START + KEPT + 1)
            assert [entry.sequence for entry in await feed.page("shop", 0, 9)] == [2]
            await feed.purge(START + KEPT + 2)
            assert await feed.page("shop", 0, 9) == []
            assert await SqliteDeliveryStore(ledger).due(START + KEPT) == []
            await feed.record([news(3)], START + KEPT)
            assert [entry.sequence for entry in await feed.page("shop", 0, 9)] == [3]
        finally:
            await ledger.close()

    run(scenario)


def test_claims_of_a_process_that_died_end_with_the_next_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        deliveries = SqliteDeliveryStore(ledger)
        try:
            await SqliteWebhookStore(ledger).add(webhook(), event(), MOST)
            await SqliteFeedStore(ledger).record([news(1)], START)
            assert len(await deliveries.claim("whk_1", START, START + MINUTE, 1)) == 1
            await deliveries.open()
            (again,) = await deliveries.claim("whk_1", START, START + MINUTE, 1)
            assert again.attempts == 2
        finally:
            await ledger.close()

    run(scenario)


def test_two_processes_write_one_feed(tables: Tables) -> None:
    async def scenario() -> None:
        async with tables.process() as one, tables.process() as other:
            both = [one, other]
            order = [news(n) for n in range(12)] * 2
            random.Random(5).shuffle(order)
            await asyncio.gather(*(both[n % 2].feed.record(order[2 * n : 2 * n + 2], START) for n in range(12)))
            found = await numbers(one)
            assert [number for number, _ in found] == list(range(1, 13))
            assert {name for _, name in found} == {f"evt_{n}" for n in range(12)}

    run(scenario)


def test_an_answer_that_was_lost_records_nothing_twice(tables: Tables, faults: Faults) -> None:
    async def scenario() -> None:
        async with tables.process() as stores:
            faults.add("TransactWriteItems", "lost", 1)
            await stores.feed.record([news(1), news(2)], START)
            faults.clear()
            await stores.feed.record([news(2), news(1)], START)
            assert await numbers(stores) == [(1, "evt_1"), (2, "evt_2")]

    run(scenario)


CALLS: dict[str, Callable[[Stores], Awaitable[Any]]] = {
    "record": lambda stores: stores.feed.record([news(9)], START),
    "page": lambda stores: stores.feed.page("shop", 0, 1),
    "add": lambda stores: stores.webhooks.add(webhook("9"), event(), MOST),
    "get": lambda stores: stores.webhooks.get("shop", "whk_1"),
    "of_client": lambda stores: stores.webhooks.of_client("shop"),
    "change": lambda stores: stores.webhooks.change(replace(webhook(), version=2), event()),
    "remove": lambda stores: stores.webhooks.remove(webhook(), event()),
    "due": lambda stores: stores.deliveries.due(START),
    "claim": lambda stores: stores.deliveries.claim("whk_1", START, START + 1, 1),
    "settle": lambda stores: stores.deliveries.settle(
        webhook(), Delivery("whk_1", "evt_1", b"", START, START), None, START
    ),
    "redrive": lambda stores: stores.deliveries.redrive(START),
}
OPERATIONS = ("Query", "GetItem", "PutItem", "UpdateItem", "TransactWriteItems")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_says_so_when_dynamodb_fails(
    tables: Tables, faults: Faults, call: Callable[[Stores], Awaitable[Any]]
) -> None:
    async def scenario() -> None:
        async with tables.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            await stores.feed.record([news(1)], START)
            for operation in OPERATIONS:
                faults.add(operation, "unavailable")
            with pytest.raises(StorageError):
                await call(stores)
            faults.clear()
            await call(stores)

    run(scenario)


def test_what_passes_is_left_to_dynamodb_to_delete(tables: Tables) -> None:
    async def scenario() -> None:
        async with tables.process() as stores:
            await stores.webhooks.add(webhook(), event(), MOST)
            await stores.feed.record([news(1), news(2)], START)
            (dead,) = await stores.deliveries.claim("whk_1", START, START + MINUTE, 1)
            await stores.deliveries.settle(webhook(), dead, replace(dead, state=DeliveryState.DEAD), START)

    run(scenario)
    until = str((START + KEPT) // SECOND + 1)
    expiries: dict[str, set[str | None]] = {}
    for item in tables.installation.items("ClientEvents"):
        kind = item["pk"]["S"].partition("#")[0]
        expiries.setdefault(kind, set()).add(item.get("expires_at", {}).get("N"))
    lasting, passing = {None}, {until}
    assert expiries == {
        "H": lasting,
        "WEBHOOKS": lasting,
        "COUNTS": lasting,
        "F": passing,
        "E": passing,
        "P": passing,
        "DEAD": passing,
    }


def test_a_number_that_cannot_be_seen_yet_is_waited_for(tables: Tables) -> None:
    async def scenario() -> None:
        async with tables.process() as stores:
            await stores.feed.record([news(n) for n in range(1, 5)], START)
            api, name = tables.installation.api["dynamodb"], tables.installation.tables["ClientEvents"]
            api.delete_item(TableName=name, Key={"pk": {"S": "F#shop"}, "sk": {"S": f"{3:016d}"}})
            tables.clock = START + 10 * SECOND - 1
            assert [number for number, _ in await numbers(stores)] == [1, 2]
            assert await numbers(stores, after=2) == []
            assert [number for number, _ in await numbers(stores, after=3)] == [4]
            tables.clock += 1
            assert [number for number, _ in await numbers(stores)] == [1, 2, 4]

    run(scenario)
