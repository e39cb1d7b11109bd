"""One suite for both: accounts, what became of transactions, orders for card management, the deny list."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.accounts.orders import CardOrder, OrderState, died, freezing, releasing
from assay.accounts.ports import KEPT, Action, Change, Effect
from assay.accounts.records import Account, Cause, Freeze, Release, confirmed, frozen, released
from assay.adapters.aws import card_orders
from assay.adapters.sqlite.accounts import SqliteAccountStore
from assay.adapters.sqlite.card_orders import SqliteCardOrderStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.errors import StorageError
from assay.schemas.event import SYSTEM, Event
from assay.schemas.stages import Reason
from tests.contract.faults import Faults, Kind
from tests.contract.installations import SECOND, START, Accounts, AwsInstallation, Installation, run

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
PARALLEL = 10
REASON = Reason(code="rule:ip_botnet", weight=3.0, analyst_text="200 accounts — ☕", customer_text="Refusé.")


def cause(n: int = 1, at: int = START) -> Cause:
    return Cause(at, "shop", f"t-{n}")


def freeze(n: int = 1, at: int = START, hours: int | None = 24) -> Freeze:
    return Freeze(cause(n, at), None if hours is None else at + hours * HOUR, (REASON,))


def event(kind: str = "account.frozen", n: int = 1) -> Event:
    return Event.now(kind, SYSTEM, note=f"n-{n}")


def action(n: int = 1, effect: Effect = Effect.FROZEN, client: str = "shop") -> Action:
    return Action(client, f"t-{n}", effect, START + n)


def freezes(account: Account, n: int = 1, now: int = START, hours: int | None = 24) -> Change:
    """The change that an event of a decline gives rise to."""
    news = freeze(n, now, hours)
    after = frozen(account, news)
    return Change(after, event(n=n), freezing(after, news, now), action(n))


def releases(account: Account, now: int) -> Change:
    """The change that an analyst makes."""
    assert account.freeze is not None
    after = released(account, Release(now, "usr_ann", "known"))
    return Change(after, event("account.released"), releasing(after, account.freeze, now))


async def freeze_(stores: Accounts, name: str = "a", n: int = 1, now: int = START) -> Account:
    change = freezes(await stores.accounts.get(name), n, now)
    assert await stores.accounts.change(change)
    return change.account


async def release_(stores: Accounts, name: str = "a", now: int = START + SECOND) -> None:
    assert await stores.accounts.change(releases(await stores.accounts.get(name), now))


async def claimed(stores: Accounts, now: int = START, limit: int = 100) -> list[CardOrder]:
    return await stores.orders.claim(now, now + MINUTE, limit)


async def kinds(installation: Installation) -> list[str]:
    return sorted(json.loads(body)["event"] for body in await installation.announced())


def states(installation: Installation) -> list[tuple[str, str, str]]:
    return [(order.account_id, order.kind, order.state) for order in installation.orders()]


# Accounts


def test_a_change_is_kept_whole_for_the_next_process(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            assert await stores.accounts.get("a") == Account("a")
            first = freezes(Account("a"))
            assert await stores.accounts.change(first)
            second = Change(confirmed(first.account, cause()))
            assert await stores.accounts.change(second)
            third = releases(second.account, START + SECOND)
            assert await stores.accounts.change(third)
        async with installation.accounts() as stores:
            kept = await stores.accounts.get("a")
            assert kept == third.account
            assert (kept.version, kept.confirmed, kept.release) == (3, cause(), third.account.release)
            assert kept.freeze is not None
            assert kept.freeze.reasons == (REASON,)
            assert await stores.accounts.get("b") == Account("b")
        assert installation.effects() == {("shop", "t-1"): "frozen"}
        assert await kinds(installation) == ["account.frozen", "account.released"]
        dropped, orders = [replace(order, state=OrderState.DROPPED) for order in first.orders], list(third.orders)
        assert installation.orders() == [*dropped, *orders]

    run(scenario)


@pytest.mark.parametrize("is_known", [False, True])
def test_of_changes_of_one_version_one_is_kept_whole(installation: Installation, is_known: bool) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            before = await freeze_(stores) if is_known else Account("a")
            changes = [freezes(before, n, START + n) for n in range(2, 2 + PARALLEL)]
            kept = await asyncio.gather(*map(stores.accounts.change, changes))
            assert kept.count(True) == 1
            winner = changes[kept.index(True)]
            assert await stores.accounts.get("a") == winner.account
            assert await stores.accounts.change(winner) is False
        effects = {name for _, name in installation.effects()}
        assert winner.action is not None
        assert effects == {winner.action.transaction_id} | ({"t-1"} if is_known else set())
        assert [order for order in installation.orders() if order.state is OrderState.PENDING] == list(winner.orders)
        assert len(installation.orders()) == (4 if is_known else 2)
        assert await kinds(installation) == ["account.frozen"] * (2 if is_known else 1)

    run(scenario)


def test_a_transaction_has_one_action_the_first(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            await stores.accounts.record([])
            await stores.accounts.record([action(1, Effect.DECLINED), action(2, Effect.NONE)])
            await stores.accounts.record([action(n, Effect.LATE) for n in (2, 3)])
            await stores.accounts.record([action(3, Effect.NONE, client="bank")])
            account = await freeze_(stores, n=1)
            assert await stores.accounts.get("a") == account, "the change is kept nevertheless"
            await stores.accounts.record([action(1, Effect.LATE)])
        ours = {("shop", "t-1"): "declined", ("shop", "t-2"): "none", ("shop", "t-3"): "late"}
        assert installation.effects() == {**ours, ("bank", "t-3"): "none"}
        assert await kinds(installation) == ["account.frozen"]

    run(scenario)


def test_many_actions_at_once(installation: Installation) -> None:
    async def scenario() -> None:
        actions = [action(n, Effect.NONE) for n in range(60)]
        async with installation.accounts() as stores:
            await asyncio.gather(*(stores.accounts.record(actions) for _ in range(2)))
        assert len(installation.effects()) == 60

    run(scenario)


# The deny list


def test_it_denies_what_is_frozen_now(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            for name in "abc":
                hours = None if name == "b" else 24
                assert await stores.accounts.change(freezes(Account(name), hours=hours))
            await release_(stores, "c")
            assert [await stores.deny_list.denies(name) for name in "abcd"] == [True, True, False, False]
            installation.clock.now = START + DAY - 1
            assert [await stores.deny_list.denies(name) for name in "abcd"] == [True, True, False, False]
        async with installation.accounts() as stores:
            assert [await stores.deny_list.denies(name) for name in "abcd"] == [True, True, False, False]
            installation.clock.now = START + DAY
            assert [await stores.deny_list.denies(name) for name in "abcd"] == [False, True, False, False]
        async with installation.accounts() as stores:
            assert [await stores.deny_list.denies(name) for name in "abcd"] == [False, True, False, False]

    run(scenario)


def test_a_new_freeze_after_a_release_counts(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            await freeze_(stores)
            await release_(stores)
            await freeze_(stores, n=2, now=START + 2 * SECOND)
            assert await stores.deny_list.denies("a")

    run(scenario)


# Orders


def test_a_claim_takes_what_is_due_oldest_first_once(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            given = [freezes(Account(f"a-{n}"), n, START + n * SECOND) for n in (5, 1, 3, 2, 4)]
            for change in given:
                assert await stores.accounts.change(change)
            blocks = {change.orders[0].account_id: change.orders[0] for change in given}
            assert await claimed(stores, START) == []
            first = await claimed(stores, START + 4 * SECOND, limit=3)
            assert first == [replace(blocks[f"a-{n}"], attempts=1) for n in (1, 2, 3)]
            assert [order.account_id for order in await claimed(stores, START + 4 * SECOND, limit=3)] == ["a-4"]
            assert await claimed(stores, START + 4 * SECOND) == []
        async with installation.accounts() as stores:
            assert [order.account_id for order in await claimed(stores, START + 5 * SECOND)] == ["a-5"]

    run(scenario)


def test_of_claims_at_once_one_wins(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            for n in range(3):
                await freeze_(stores, f"a-{n}", n)
            found = await asyncio.gather(*(claimed(stores) for _ in range(PARALLEL)))
            won = [order for orders in found for order in orders]
            assert sorted((order.account_id, order.attempts) for order in won) == [(f"a-{n}", 1) for n in range(3)]

    run(scenario)


def test_a_claim_runs_out(installation: Installation) -> None:
    """A process died with it: the order is due again then, and not before."""

    async def scenario() -> None:
        async with installation.accounts() as stores:
            await freeze_(stores)
            (first,) = await claimed(stores)
            assert await claimed(stores, START + MINUTE - 1) == []
            (second,) = await claimed(stores, START + MINUTE)
            assert (second.id, second.attempts, second.body) == (first.id, 2, first.body)
            await stores.orders.settle(replace(first, state=OrderState.DEAD, error="late"), died(first))
            assert await claimed(stores, START + MINUTE) == []
            await stores.orders.settle(replace(second, state=OrderState.DONE))
        assert states(installation) == [("a", "block", "done"), ("a", "unblock", "pending")]
        assert await kinds(installation) == ["account.frozen"]

    run(scenario)


def test_what_is_tried_again_is_due_when_it_says(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            await freeze_(stores)
            (order,) = await claimed(stores)
            await stores.orders.settle(replace(order, due_at=START + 9 * SECOND, error="HTTP 503"))
            assert await claimed(stores, START + 9 * SECOND - 1) == []
            (again,) = await claimed(stores, START + 9 * SECOND)
            assert again == replace(order, attempts=2, due_at=START + 9 * SECOND, error="HTTP 503")

    run(scenario)


def test_what_is_on_its_way_is_not_overtaken(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            await freeze_(stores)
            await freeze_(stores, "b", 2)
            block, other = sorted(await claimed(stores), key=lambda order: order.account_id)
            await release_(stores, now=START)
            assert await claimed(stores) == []
            await stores.orders.settle(replace(block, state=OrderState.DONE))
            (unblock,) = await claimed(stores)
            assert (unblock.account_id, unblock.kind) == ("a", "unblock")
            again = await claimed(stores, START + MINUTE)
            assert {(order.id, order.attempts) for order in again} == {(other.id, 2), (unblock.id, 2)}
        assert states(installation)[0] == ("a", "block", "dropped")

    run(scenario)


def test_an_account_that_must_wait_keeps_no_other_waiting(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            for n in range(4):
                await freeze_(stores, f"a-{n}", n)
            assert len(await claimed(stores)) == 4
            for n in range(4):
                await release_(stores, f"a-{n}", START)
            await freeze_(stores, "b", 9, START + SECOND)
            assert [order.account_id for order in await claimed(stores, START + SECOND, limit=1)] == ["b"]

    run(scenario)


def test_a_claim_that_ran_out_is_not_ended_by_whoever_had_it(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            await freeze_(stores)
            (slow,) = await claimed(stores)
            (quick,) = await claimed(stores, START + MINUTE)
            await stores.orders.settle(replace(slow, state=OrderState.DONE))
            await release_(stores, now=START + MINUTE)
            assert await claimed(stores, START + MINUTE) == []
            await stores.orders.settle(replace(quick, state=OrderState.DONE))
            assert [order.kind for order in await claimed(stores, START + MINUTE)] == ["unblock"]

    run(scenario)


def test_an_order_that_is_given_up_is_told_of_and_driven_again(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            await freeze_(stores)
            (order,) = await claimed(stores)
            dead = replace(order, state=OrderState.DEAD, error="HTTP 404")
            for _ in range(2):
                await stores.orders.settle(dead, died(dead))
            assert await claimed(stores, START + HOUR) == []
        found = {event["event"]: event["data"] for event in map(json.loads, await installation.announced())}
        about = {"order_id": order.id, "kind": "block", "account_id": "a"}
        about |= {"client_id": "shop", "transaction_id": "t-1"}
        assert found["card_order.dead"] == {**about, "reason": "HTTP 404"}
        async with installation.accounts() as stores:
            assert await stores.orders.redrive(START + HOUR) == 1
            assert await stores.orders.redrive(START + HOUR) == 0
            (again,) = await claimed(stores, START + HOUR)
            assert again == replace(dead, state=OrderState.PENDING, due_at=START + HOUR)
        told = [event for event in map(json.loads, await installation.announced()) if "redriven" in event["event"]]
        assert [event["data"] for event in told] == [about]

    run(scenario)


def test_every_dead_order_is_driven_again(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            for n in range(5):
                await freeze_(stores, f"a-{n}", n)
            for order in await claimed(stores):
                await stores.orders.settle(replace(order, state=OrderState.DEAD))
            assert await stores.orders.redrive(START) == 5
            assert len(await claimed(stores)) == 5

    run(scenario)


def test_newer_orders_take_the_place_of_those_that_are_not_done(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.accounts() as stores:
            for name, state in (("a", OrderState.DEAD), ("b", OrderState.DONE), ("c", OrderState.PENDING)):
                await freeze_(stores, name)
                (order,) = [order for order in await claimed(stores) if order.account_id == name]
                await stores.orders.settle(replace(order, state=state))
                await release_(stores, name, START)
            assert await stores.orders.redrive(START) == 0
            due = await claimed(stores, START + 2 * DAY)
            assert sorted((order.account_id, order.kind) for order in due) == [(name, "unblock") for name in "abc"]
        ended = [state for _, _, state in states(installation)]
        assert ended == ["dropped", "dropped", "pending", "done", "dropped", "pending", "dropped", "dropped", "pending"]

    run(scenario)


def test_changing_claiming_and_settling_at_once_ends_well(installation: Installation) -> None:
    """Whatever came first: one order is left to be carried out, or was, and it is the newest."""

    async def scenario() -> None:
        async with installation.accounts() as stores:

            async def carry_out() -> None:
                for order in await claimed(stores):
                    await stores.orders.settle(replace(order, state=OrderState.DONE))

            await freeze_(stores)
            await asyncio.gather(*(carry_out() for _ in range(4)), release_(stores, now=START), carry_out())
            await carry_out()
        last = installation.orders()[-1]
        assert (last.kind, last.state) == ("unblock", "done")
        assert [order.state for order in installation.orders()[:2]].count(OrderState.PENDING) == 0

    run(scenario)


# What fails


def _settling(order: CardOrder) -> Callable[[Accounts], Awaitable[Any]]:
    return lambda stores: stores.orders.settle(replace(order, attempts=1, state=OrderState.DONE))


OF_A = freezes(Account("a")).orders[0]
CALLS: dict[str, Callable[[Accounts], Awaitable[Any]]] = {
    "get": lambda stores: stores.accounts.get("a"),
    "change": lambda stores: stores.accounts.change(freezes(Account("b"))),
    "record": lambda stores: stores.accounts.record([action(7)]),
    "denies": lambda stores: stores.deny_list.denies("a"),
    "claim": claimed,
    "settle": _settling(OF_A),
    "redrive": lambda stores: stores.orders.redrive(START),
}
EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
FAILURES: tuple[Kind, ...] = ("throttled", "unavailable", "refused")
OPERATIONS = ("Query", "GetItem", "PutItem", "TransactWriteItems")


async def filled(stores: Accounts) -> None:
    """One account is claimed, of another an order is dead, of a third it is due."""
    await freeze_(stores)
    await claimed(stores)
    await freeze_(stores, "dead", 2)
    (order,) = await claimed(stores)
    await stores.orders.settle(replace(order, state=OrderState.DEAD))
    await freeze_(stores, "due", 3)


@EVERY_CALL
def test_every_call_says_so_when_dynamodb_fails(aws: AwsInstallation, faults: Faults, call: Any) -> None:
    async def scenario() -> None:
        async with aws.accounts() as stores:
            await filled(stores)
            before = aws.items("Accounts")
            for kind in FAILURES:
                for operation in OPERATIONS:
                    faults.add(operation, kind)
                with pytest.raises(StorageError):
                    await call(stores)
                faults.clear()
            assert aws.items("Accounts") == before
            await call(stores)
        assert aws.items("Outbox") == []

    run(scenario)


@pytest.mark.parametrize("times", [1, 2])
def test_a_change_whose_answer_was_lost_is_found_to_have_landed(
    aws: AwsInstallation, faults: Faults, times: int
) -> None:
    """Sent twice by the SDK, the second time refused by our own first (1), or without an answer as well (2)."""

    async def scenario() -> None:
        async with aws.accounts() as stores:
            await freeze_(stores)
            await aws.announced()
            for change in (freezes(Account("b"), 2), releases(await stores.accounts.get("a"), START)):
                faults.add("TransactWriteItems", "lost", times)
                assert await stores.accounts.change(change) is True
            assert await kinds(aws) == ["account.frozen", "account.released"]
            assert [order.kind for order in await claimed(stores)] == ["unblock", "block"]

    run(scenario)


def test_an_order_stays_claimed_or_is_not_when_the_answer_is_lost(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.accounts() as stores:
            await freeze_(stores)
            faults.add("TransactWriteItems", "lost", 2)
            with pytest.raises(StorageError):
                await claimed(stores)
            assert await claimed(stores, START + MINUTE - 1) == []
            (order,) = await claimed(stores, START + MINUTE)
            assert order.attempts == 2

    run(scenario)


def test_an_outcome_whose_answer_is_lost_is_kept_once(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.accounts() as stores:
            await freeze_(stores)
            (order,) = await claimed(stores)
            dead = replace(order, state=OrderState.DEAD, error="HTTP 404")
            faults.add("TransactWriteItems", "lost", 2)
            await stores.orders.settle(dead, died(dead))
            await stores.orders.settle(dead, died(dead))
            assert await kinds(aws) == ["account.frozen", "card_order.dead"]
            assert aws.orders()[0] == dead

    run(scenario)


def test_a_crash_after_an_outcome_delays_the_next_order_by_a_claim_at_most(
    aws: AwsInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is ended after the outcome."""

    def crash(_: CardOrder) -> None:
        raise StorageError("gone")

    async def scenario() -> None:
        async with aws.accounts() as stores:
            await freeze_(stores)
            (order,) = await claimed(stores)
            with monkeypatch.context() as broken:
                broken.setattr(card_orders, "claim_key", crash)
                with pytest.raises(StorageError):
                    await stores.orders.settle(replace(order, state=OrderState.DONE))
            await release_(stores, now=START)
            assert aws.orders()[0].state is OrderState.DONE
            assert await claimed(stores, START + MINUTE - 1) == []
            assert [order.kind for order in await claimed(stores, START + MINUTE)] == ["unblock"]

    run(scenario)


def test_what_is_over_may_be_deleted_and_nothing_else(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.accounts() as stores:
            await filled(stores)
            (order,) = await claimed(stores)
            await stores.orders.settle(replace(order, state=OrderState.DONE))
            await stores.accounts.record([action(9, Effect.NONE)])
        expiries = {item["pk"]["S"] + item["sk"]["S"][:2]: item.get("expires_at", {}).get("N") for item in items()}
        kept = str((START + KEPT) // SECOND + 1)
        assert expiries.pop("T#shop#t-9T") == kept
        assert expiries.pop("A#aC") == str((START + MINUTE) // SECOND + 1)
        assert all(expiries.pop(f"T#shop#t-{n}T") == kept for n in (1, 2, 3))
        assert {name for name, until in expiries.items() if until} == set()
        done = [item for item in items() if item["sk"]["S"].startswith("O#") and "expires_at" in item]
        assert [item["expires_at"]["N"] for item in done] == [kept]

    def items() -> list[dict[str, Any]]:
        return aws.items("Accounts")

    run(scenario)


def test_a_table_that_is_not_there(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        aws.tables["Accounts"] = "nowhere"
        async with aws.accounts() as stores:
            for call in CALLS.values():
                with pytest.raises(StorageError, match="ResourceNotFound"):
                    await call(stores)

    run(scenario)


def test_a_file_that_is_spoilt(tmp_path: Path) -> None:
    async def scenario() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        store = SqliteAccountStore(ledger)
        stores = Accounts(store, SqliteCardOrderStore(ledger), store)
        with sqlite3.connect(tmp_path / "assay.db") as file:
            for table in ("accounts", "actions", "card_orders"):
                file.execute(f"DROP TABLE {table}")
        for name in CALLS.keys() - {"denies"}:  # which is in memory
            with pytest.raises(StorageError):
                await CALLS[name](stores)
        await ledger.close()

    run(scenario)


# What a file forgets


def test_a_file_forgets_old_actions_a_few_at_a_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        store = SqliteAccountStore(ledger)
        await store.record([action(n) for n in range(10)])
        before = START + 7
        assert [await store.forget(before, 4) for _ in range(3)] == [4, 3, 0]
        rows = ledger.reader.execute("SELECT transaction_id FROM actions").fetchall()
        assert rows == [("t-7",), ("t-8",), ("t-9",)]
        await ledger.close()

    run(scenario)


def test_a_file_forgets_old_orders_that_are_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        ledger = SqliteLedger(tmp_path / "assay.db")
        stores = Accounts(store := SqliteAccountStore(ledger), orders := SqliteCardOrderStore(ledger), store)
        await _one_of_each(stores, ("done", "dead", "dropped", "pending"))
        assert await orders.forget(START, 10) == 0
        assert [await orders.forget(START + 1, 1) for _ in range(3)] == [1, 1, 0]
        assert [
            row[0] for row in ledger.reader.execute("SELECT state FROM card_orders WHERE due_at = ?", (START,))
        ] == [
            "dead",
            "pending",
        ]
        await ledger.close()

    run(scenario)


async def _one_of_each(stores: Accounts, wanted: Sequence[str]) -> None:
    for n in range(len(wanted)):
        await freeze_(stores, f"a-{n}", n)
    for order, state in zip(await claimed(stores), wanted, strict=True):
        await stores.orders.settle(replace(order, state=OrderState(state)))
