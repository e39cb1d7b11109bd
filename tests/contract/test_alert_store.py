"""One suite for the stores of alerts: SQLite, and DynamoDB (moto)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from assay.adapters.aws import alerts
from assay.adapters.aws.alert_items import KEPT
from assay.adapters.aws.alerts import DynamoAlertStore
from assay.adapters.aws.clients import Clients, patient
from assay.adapters.aws.transactions import transact
from assay.adapters.sqlite.alerts import SqliteAlertStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.alerts.ports import AlertStore
from assay.alerts.records import MAIL, Alert, Filter, Listed, Message, NewAlert, Position, State, alert_id
from assay.alerts.windows import Limits
from assay.errors import StorageError
from local.aws import resources
from tests.contract.faults import Faults
from tests.contract.installations import PATIENT_S, create_table

NOW = 1_770_000_000_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
ALL = Filter()


class Place(Protocol):
    """Where alerts are kept."""

    def process(self) -> Any:
        """One process's store, as a context manager."""
        ...

    def spoil(self) -> None:
        """From now on nothing can be read or written."""
        ...


class File:
    """A file, of one process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def process(self) -> AsyncIterator[AlertStore]:
        ledger = SqliteLedger(self._path)
        try:
            yield SqliteAlertStore(ledger)
        finally:
            await ledger.close()

    def spoil(self) -> None:
        with sqlite3.connect(self._path) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'alert%' AND type = 'table'")
            for (table,) in tables.fetchall():
                connection.execute(f"DROP TABLE {table}")


class Table:
    """A table, made as the template says."""

    def __init__(self, endpoint: str, faults: Faults) -> None:
        self.name = f"alerts-{uuid4().hex[:12]}"
        self.faults = faults
        self.api = resources.client("dynamodb", endpoint)
        create_table(self.api, "AlertsTable", self.name)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[AlertStore]:
        clients = Clients()
        try:
            yield DynamoAlertStore(await clients.open("dynamodb", patient(PATIENT_S)), self.name)
        finally:
            await clients.close()

    def spoil(self) -> None:
        for call in ("Query", "BatchGetItem", "TransactWriteItems"):
            self.faults.add(call, "unavailable")

    def items(self) -> list[dict[str, Any]]:
        pages = self.api.get_paginator("scan").paginate(TableName=self.name)
        return [item for page in pages for item in page["Items"]]


@pytest.fixture
def table(aws_environment: pytest.MonkeyPatch, moto_endpoint: str, faults: Faults) -> Table:
    return Table(moto_endpoint, faults)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "assay.db")


@pytest.fixture(params=["file", "table"])
def place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)


def run(place: Place, scenario: Callable[[AlertStore], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with place.process() as store:
            return await scenario(store)

    return asyncio.run(asyncio.wait_for(main(), 120))


def alert(n: int, route: str = "declined", at: int | None = None, client: str = "shop", **fields: Any) -> Alert:
    given = {
        "id": alert_id(route, "transaction.scored", client, f"t-{n}"),
        "route": route,
        "created_at": NOW + n * SECOND if at is None else at,
        "kind": "transaction.scored",
        "client_id": client,
        "transaction_id": f"t-{n}",
        "decision": "DECLINE",
        "details": '{"amount":12.5,"facts":{"ä":"€"}}',
    }
    return Alert(**{**given, **fields})


def new(
    n: int,
    to: Sequence[str] = ("a@example.com", "b@example.com"),
    webhooks: Sequence[str] = (),
    mails: int = 100,
    window: int = 5 * MINUTE,
    **fields: Any,
) -> NewAlert:
    return NewAlert(alert(n, **fields), tuple(to), tuple(webhooks), Limits(mails, window))


async def claimed(store: AlertStore, channel: str = MAIL, now: int = NOW + MINUTE, limit: int = 100) -> list[Message]:
    return await store.claim(channel, now, now + MINUTE, limit)


async def sent(store: AlertStore, now: int) -> list[Message]:
    """What was due then, all of it sent."""
    messages = await claimed(store, now=now)
    for message in messages:
        await store.settle(replace(message, state=State.SENT, recipients=()))
    return messages


async def ids(store: AlertStore, wanted: Filter = ALL, after: Position | None = None, limit: int = 100) -> list[str]:
    return [listed.alert.transaction_id or "" for listed in await store.page(wanted, after, limit)]


def test_an_alert_is_kept_with_its_messages(place: Place) -> None:
    given = new(1, webhooks=("siem", "chat"))

    async def scenario(store: AlertStore) -> None:
        assert await store.record([given]) == 1
        (listed,) = await store.page(ALL, None, 10)
        assert listed.alert == given.alert
        assert [message.channel for message in listed.messages] == ["chat", "mail", "siem"]
        for message in listed.messages:
            assert message.route == "declined"
            assert message.created_at == message.due_at == given.alert.created_at
            assert (message.state, message.attempts, message.error) == (State.PENDING, 0, "")
            assert message.recipients == (given.recipients if message.channel == MAIL else (message.channel,))
            assert not message.is_digest
            assert await store.carried(message, 10) == ([given.alert], 1)

    run(place, scenario)


def test_an_alert_about_no_transaction(place: Place) -> None:
    given = new(1, transaction_id=None, decision=None, kind="keys.rotated")

    async def scenario(store: AlertStore) -> None:
        await store.record([given])
        (listed,) = await store.page(ALL, None, 10)
        assert listed.alert == given.alert
        assert await store.page(Filter(client_id="shop"), None, 10) == []

    run(place, scenario)


def test_an_alert_that_comes_again_changes_nothing(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        assert await store.record([new(1), new(2), new(1, at=NOW + 9)]) == 2
        before = await store.page(ALL, None, 10)
        assert await store.record([new(2, at=NOW + 99 * SECOND), new(1, webhooks=("siem",))]) == 0
        assert await store.record([]) == 0
        assert await store.page(ALL, None, 10) == before
        assert await claimed(store, "siem") == []
        assert await store.record([new(3), new(1)]) == 1
        assert await ids(store) == ["t-3", "t-2", "t-1"]

    run(place, scenario)


def test_what_was_kept_is_there_for_the_next_process(place: Place) -> None:
    run(place, lambda store: store.record([new(1, webhooks=("siem",))]))

    async def scenario(store: AlertStore) -> None:
        assert await store.record([new(1)]) == 0
        assert await ids(store) == ["t-1"]
        assert len(await claimed(store)) == len(await claimed(store, "siem")) == 1

    run(place, scenario)


def test_alerts_at_the_same_time_are_each_kept_once(place: Place) -> None:
    """Of one route, which has one window; some of them twice."""

    async def scenario(store: AlertStore) -> None:
        given = [new(n, at=NOW, mails=3) for n in range(8)]
        counts = await asyncio.gather(*(store.record([each]) for each in (*given, *given[:4])))
        assert sum(counts) == 8
        assert len(await ids(store)) == 8
        messages = await claimed(store, now=NOW + 6 * MINUTE)
        assert sorted(message.is_digest for message in messages) == [False] * 3 + [True]
        digest = next(message for message in messages if message.is_digest)
        carried, count = await store.carried(digest, 100)
        assert len(carried) == count == 5

    run(place, scenario)


def test_a_large_batch(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        batch = [new(n, webhooks=("siem",), mails=2, at=NOW + n) for n in range(50)]
        assert await store.record(batch) == 50
        assert await store.record(batch) == 0
        messages = await claimed(store, now=NOW + 6 * MINUTE)
        assert [message.is_digest for message in messages] == [False, False, True]
        carried, count = await store.carried(messages[2], 20)
        assert [alert.transaction_id for alert in carried] == [f"t-{n}" for n in range(2, 22)]
        assert count == 48
        calls = await claimed(store, "siem", limit=8)
        assert [message.created_at - NOW for message in calls] == list(range(8))

    run(place, scenario)


def test_each_route_has_its_own_window(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(n, route=route, mails=1) for n in range(2) for route in ("one", "two")])
        messages = await sent(store, NOW + MINUTE)
        assert sorted((message.route, message.is_digest) for message in messages) == [("one", False), ("two", False)]
        digests = await claimed(store, now=NOW + 5 * MINUTE)
        assert sorted((message.route, message.is_digest) for message in digests) == [("one", True), ("two", True)]

    run(place, scenario)


def test_a_digest_is_due_at_its_windows_end_and_the_next_window_has_another(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        for n in range(4):
            await store.record([new(n, mails=1, at=NOW + n * MINUTE)])
        assert [message.is_digest for message in await sent(store, NOW + 5 * MINUTE - 1)] == [False]
        await store.record([new(9, mails=1, at=NOW + 6 * MINUTE)])
        digests = await sent(store, NOW + 7 * MINUTE)
        assert [(digest.is_digest, (await store.carried(digest, 9))[1]) for digest in digests] == [(True, 3)]
        (later,) = await claimed(store, now=NOW + 60 * MINUTE)
        assert later.id != digests[0].id
        assert (await store.carried(later, 9))[1] == 1

    run(place, scenario)


def test_an_alert_does_not_join_a_digest_that_is_being_sent(place: Place) -> None:
    """One that was made within the window, and is recorded late."""

    async def scenario(store: AlertStore) -> None:
        await store.record([new(1, mails=0, at=NOW)])
        await store.record([new(2, mails=0, at=NOW + 1)])
        (digest,) = await claimed(store, now=NOW + 5 * MINUTE)
        assert await store.record([new(3, mails=0, at=NOW + 2)]) == 1
        carried, count = await store.carried(digest, 10)
        assert [alert.transaction_id for alert in carried] == ["t-1", "t-2"]
        assert count == 2
        await store.settle(replace(digest, state=State.SENT, recipients=()))
        (another,) = await claimed(store, now=NOW + 60 * MINUTE)
        assert (await store.carried(another, 10)) == ([alert(3, at=NOW + 2)], 1)

    run(place, scenario)


def test_recording_and_claiming_at_once_loses_no_alert(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(0, mails=0, at=NOW)])
        given = [new(n, mails=0, at=NOW + n) for n in range(1, 9)]
        late = NOW + 5 * MINUTE
        outcomes = await asyncio.gather(
            *(store.record([each]) for each in given[:4]),
            store.claim(MAIL, late, late + MINUTE, 10),
            *(store.record([each]) for each in given[4:]),
        )
        messages = [*outcomes[4], *await claimed(store, now=NOW + 240 * MINUTE)]
        told = {digest.id: (await store.carried(digest, 100))[0] for digest in messages}
        assert sorted(one.id for each in told.values() for one in each) == sorted(
            one.id for one in (new(0).alert, *(each.alert for each in given))
        )

    run(place, scenario)


def test_a_claim_takes_what_is_due_oldest_first(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(n, webhooks=("siem",)) for n in (5, 1, 3, 2, 4)])
        first = await claimed(store, now=NOW + 4 * SECOND, limit=3)
        assert [message.created_at - NOW for message in first] == [SECOND, 2 * SECOND, 3 * SECOND]
        assert {(message.attempts, message.due_at) for message in first} == {(1, NOW + 4 * SECOND + MINUTE)}
        second = await claimed(store, now=NOW + 4 * SECOND, limit=3)
        assert [message.created_at - NOW for message in second] == [4 * SECOND]
        assert await claimed(store, now=NOW + 4 * SECOND) == []
        assert await claimed(store, "chat") == []
        assert len(await claimed(store, "siem", now=NOW + 5 * SECOND)) == 5

    run(place, scenario)


def test_of_twenty_claims_at_once_one_wins(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(1), new(2)])
        outcomes = await asyncio.gather(*(claimed(store) for _ in range(20)))
        won = [message for messages in outcomes for message in messages]
        assert len(won) == len({message.id for message in won}) == 2
        assert {message.attempts for message in won} == {1}

    run(place, scenario)


def test_a_claim_runs_out(place: Place) -> None:
    """A process died with it: the message is due again then, and not before."""

    async def scenario(store: AlertStore) -> None:
        await store.record([new(1)])
        (first,) = await store.claim(MAIL, NOW + MINUTE, NOW + 2 * MINUTE, 10)
        assert await store.claim(MAIL, NOW + 2 * MINUTE - 1, NOW + 9 * MINUTE, 10) == []
        (second,) = await store.claim(MAIL, NOW + 2 * MINUTE, NOW + 9 * MINUTE, 10)
        assert second == replace(first, attempts=2, due_at=NOW + 9 * MINUTE)

    run(place, scenario)


def test_a_message_that_was_sent_is_done(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(1)])
        (message,) = await claimed(store)
        sent = replace(message, state=State.SENT, recipients=(), refused=("b@example.com",), error="550 no such user")
        for _ in range(2):
            await store.settle(sent)
        assert await claimed(store, now=NOW + 60 * MINUTE) == []
        assert await store.page(ALL, None, 10) == [Listed(alert(1), (sent,))]

    run(place, scenario)


def test_a_message_that_failed_is_due_when_it_is_said_to_be(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(1)])
        (message,) = await claimed(store)
        later = replace(message, due_at=NOW + 10 * MINUTE, recipients=("b@example.com",), error="timed out")
        await store.settle(later)
        assert await claimed(store, now=NOW + 10 * MINUTE - 1) == []
        (again,) = await claimed(store, now=NOW + 10 * MINUTE)
        assert again == replace(later, attempts=2, due_at=NOW + 11 * MINUTE)
        await store.settle(again)  # due when the claim ends: the very moment that is there already
        (third,) = await claimed(store, now=NOW + 11 * MINUTE)
        assert third.attempts == 3

    run(place, scenario)


def test_who_comes_late_does_not_undo_what_another_did(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(1)])
        (slow,) = await store.claim(MAIL, NOW + MINUTE, NOW + 2 * MINUTE, 10)
        (quick,) = await store.claim(MAIL, NOW + 2 * MINUTE, NOW + 3 * MINUTE, 10)
        await store.settle(replace(slow, state=State.DEAD, error="late"))
        ((listed,),) = [each.messages for each in await store.page(ALL, None, 10)]
        assert listed == quick
        await store.settle(replace(quick, state=State.SENT, recipients=()))
        await store.settle(replace(slow, due_at=NOW + 5 * MINUTE))
        await store.settle(replace(quick, due_at=NOW + 5 * MINUTE))
        assert await claimed(store, now=NOW + 60 * MINUTE) == []

    run(place, scenario)


def test_dead_messages_are_driven_again(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(n, webhooks=("siem",)) for n in range(3)])
        mails, calls = await claimed(store), await claimed(store, "siem")
        for message in mails:
            await store.settle(
                replace(message, state=State.DEAD, recipients=(), refused=message.recipients, error="550")
            )
        await store.settle(replace(calls[0], state=State.DEAD, error="HTTP 410"))
        await store.settle(replace(calls[1], state=State.SENT))
        assert await claimed(store, now=NOW + 5 * MINUTE) == []
        later = NOW + 60 * MINUTE
        assert await store.redrive(later) == 4
        assert await store.redrive(later) == 0
        assert await claimed(store, now=later - 1) == []
        again = await claimed(store, now=later)
        assert sorted(again, key=lambda m: m.created_at) == [
            replace(m, due_at=later + MINUTE, attempts=1, refused=(), recipients=m.recipients, error="550")
            for m in mails
        ]
        assert [message.id for message in await claimed(store, "siem", now=later)] == [calls[2].id, calls[0].id]

    run(place, scenario)


def test_pages_are_newest_first_and_go_on_where_the_last_ended(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(n, at=NOW + n // 3) for n in range(10)])  # some at the same moment
        found: list[Listed] = []
        after = None
        while page := await store.page(ALL, after, 4):
            assert len(page) <= 4
            found += page
            after = Position(page[-1].alert.created_at, page[-1].alert.id)
            await store.record([new(100 + len(found), at=NOW + MINUTE)])  # comes before, and moves nothing
        given = sorted((alert(n, at=NOW + n // 3) for n in range(10)), key=lambda a: (a.created_at, a.id), reverse=True)
        assert [listed.alert for listed in found] == given

    run(place, scenario)


def test_pages_of_what_is_asked_for(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record(
            [
                new(n, route=route, client=client)
                for n in range(4)
                for route, client in (("one", "shop"), ("two", "shop"), ("two", "bank"))
            ]
        )
        assert await ids(store, Filter(client_id="bank")) == ["t-3", "t-2", "t-1", "t-0"]
        assert await ids(store, Filter(client_id="nobody")) == []
        assert len(await ids(store, Filter(route="two"))) == 8
        assert await ids(store, Filter(route="two", client_id="bank"), limit=3) == ["t-3", "t-2", "t-1"]
        assert await ids(store, Filter(route="one", client_id="bank")) == []
        (first, *_) = await claimed(store, now=NOW, limit=1)
        await store.settle(replace(first, state=State.DEAD, recipients=()))
        assert await ids(store, Filter(state=State.DEAD)) == ["t-0"]
        assert await ids(store, Filter(state=State.SENT)) == []
        assert len(await ids(store, Filter(state=State.PENDING))) == 11
        assert await ids(store, Filter(state=State.PENDING, client_id="bank"), limit=2) == ["t-3", "t-2"]

    run(place, scenario)


def test_a_page_looks_as_far_back_as_it_must(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.adapters.aws.alerts.SCANNED", 5)

    async def scenario(store: AlertStore) -> None:
        await store.record([new(n, client="shop" if n % 10 else "bank") for n in range(31)])
        assert await ids(store, Filter(client_id="bank")) == ["t-30", "t-20", "t-10", "t-0"]
        assert await ids(store, Filter(client_id="bank"), limit=2) == ["t-30", "t-20"]
        (oldest,) = await claimed(store, limit=1)
        await store.settle(replace(oldest, state=State.SENT, recipients=()))
        assert await ids(store, Filter(state=State.SENT), limit=2) == ["t-0"]

    run(place, scenario)


def test_a_store_that_is_not_there(place: Place) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(1)])
        (message,) = await claimed(store)
        place.spoil()
        for question in (
            store.record([new(2)]),
            store.claim(MAIL, NOW, NOW, 1),
            store.carried(message, 1),
            store.settle(message),
            store.page(ALL, None, 1),
            store.redrive(NOW),
        ):
            with pytest.raises(StorageError):
                await question

    run(place, scenario)


def test_an_answer_that_was_lost(table: Table) -> None:
    """The alert is there, and is kept once, whatever comes of it for who asked."""

    async def scenario(store: AlertStore) -> None:
        table.faults.add("TransactWriteItems", "lost", times=1)
        assert await store.record([new(1)]) in {0, 1}
        assert await store.record([new(1)]) == 0
        assert await ids(store) == ["t-1"]

    run(table, scenario)


@pytest.mark.parametrize("times", [2, 10])
def test_a_conflict_is_waited_for(table: Table, times: int) -> None:
    async def scenario(store: AlertStore) -> None:
        table.faults.add("TransactWriteItems", "conflict", times=times)
        assert await store.record([new(1)]) == 1

    run(table, scenario)


def test_conflicts_without_end_are_a_fault(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "ATTEMPTS", 2)

    async def scenario(store: AlertStore) -> None:
        table.faults.add("TransactWriteItems", "conflict")
        with pytest.raises(StorageError, match="others record"):
            await store.record([new(1)])

    run(table, scenario)


def test_a_digest_that_is_claimed_just_before_it_is_joined(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(1, mails=0, at=NOW)])
        digests: list[Message] = []

        async def claim_first(*arguments: Any) -> tuple[str, ...]:
            monkeypatch.setattr(alerts, "transact", transact)
            digests.extend(await claimed(store, now=NOW + 5 * MINUTE))
            return await transact(*arguments)

        monkeypatch.setattr(alerts, "transact", claim_first)
        assert await store.record([new(2, mails=0, at=NOW + 1)]) == 1
        (digest,) = digests
        assert await store.carried(digest, 10) == ([alert(1, at=NOW)], 1)
        await store.settle(replace(digest, state=State.SENT, recipients=()))
        (another,) = await claimed(store, now=NOW + 60 * MINUTE)
        assert await store.carried(another, 10) == ([alert(2, at=NOW + 1)], 1)

    run(table, scenario)


def test_everything_in_the_table_expires(table: Table) -> None:
    async def scenario(store: AlertStore) -> None:
        await store.record([new(n, webhooks=("siem",), mails=1) for n in range(3)])
        dead, *_ = await claimed(store)
        await store.settle(replace(dead, state=State.DEAD))
        items = table.items()
        kinds = {item["pk"]["S"].partition("#")[0] for item in items}
        assert kinds == {"A", "LIST", "M", "P", "DEAD", "W"}
        for item in items:
            until = int(item["expires_at"]["N"])
            assert NOW // SECOND + 86_400 < until <= (NOW + KEPT) // SECOND + 10 * 60
        assert {int(item["expires_at"]["N"]) for item in items if item["pk"]["S"] == "LIST"} == {
            (NOW + n * SECOND + KEPT) // SECOND + 1 for n in range(3)
        }

    run(table, scenario)


def test_what_has_expired_in_part_is_passed_over(table: Table) -> None:
    """DynamoDB deletes items one by one."""

    async def scenario(store: AlertStore) -> None:
        await store.record([new(n) for n in range(3)])
        for pk in (f"A#{alert(1).id}",):
            table.api.delete_item(TableName=table.name, Key={"pk": {"S": pk}, "sk": {"S": "A"}})
        assert await ids(store) == ["t-2", "t-0"]
        message = (await store.page(ALL, None, 1))[0].messages[0]
        table.api.delete_item(TableName=table.name, Key={"pk": {"S": f"M#{message.id}"}, "sk": {"S": "#"}})
        assert (await store.page(ALL, None, 1))[0].messages == ()
        assert len(await claimed(store)) == 2
        await store.settle(message)

    run(table, scenario)
