"""Accounts over a real file: what events do to them, one commit each, whatever comes twice, late or at once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from assay.accounts.records import AccountState
from assay.adapters.sqlite.group_commit import GroupCommit
from assay.errors import PoisonEvent, StorageError
from assay.ports import OutboxEvent
from functions.action_layer.accounts import NotFrozen
from tests.harness.accounts import HOUR, SECOND, START, Clock, Lab, opened, run, scored


def test_a_decline_freezes_an_approval_does_nothing_and_both_are_on_record(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        events = [
            scored("t-1"),
            scored("t-2", "b", decision="APPROVE", triggered_by="ML_SCORE", fraud_score=0.1),
            scored("t-3", "c", triggered_by="ML_SCORE", fraud_score=0.85),
            scored("t-4", "d", decision="CHALLENGE"),
            scored("t-5", None),
            scored("t-6", "e", degraded=["profile"]),
            scored("t-7", "f", triggered_by="DENY_LIST"),
        ]
        await lab.consumer.handle(events)
        declined = dict.fromkeys(("t-3", "t-5", "t-6", "t-7"), "declined")
        assert lab.effects() == {"t-1": "frozen", "t-2": "none", **declined}
        assert [await lab.state(account) for account in "abcdef"] == [AccountState.FROZEN] + [AccountState.ACTIVE] * 5
        assert [await lab.store.denies(account) for account in "abcdef"] == [True] + [False] * 5
        cause = {"client_id": "shop", "transaction_id": "t-1"}
        data = {"account_id": "a", "version": 1, **cause, "until": "2026-03-02T12:00:00+00:00"}
        assert lab.events() == [("account.frozen", {**data, "reasons": ["rule:ip_botnet"]})]
        account, _ = await lab.accounts.get("a")
        assert account.freeze is not None
        assert [reason.customer_text for reason in account.freeze.reasons] == ["Refused."]

    run(tmp_path, scenario)


def test_what_comes_again_has_no_effect_again(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        events = [scored("t-1"), scored("t-2", "b", decision="APPROVE")]
        for batch in (events, events[:1], events[::-1], [*events, *events]):
            await lab.consumer.handle(batch)
        assert lab.effects() == {"t-1": "frozen", "t-2": "none"}
        assert len(lab.events()) == 1
        assert lab.rows("SELECT kind, state FROM card_orders ORDER BY sequence") == [
            ("block", "pending"),
            ("unblock", "pending"),
        ]

    run(tmp_path, scenario)


def test_the_same_id_of_two_clients_is_two_transactions(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t", "a"), scored("t", "b", client="bank")])
        assert lab.rows("SELECT client_id, effect FROM actions ORDER BY 1") == [("bank", "frozen"), ("shop", "frozen")]

    run(tmp_path, scenario)


def test_a_late_decline_does_not_undo_a_release(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-2", at=START)])
        clock.now += 60 * SECOND
        account = await lab.accounts.release("a", "ann", "the customer has called")
        assert (account.version, await lab.state(), await lab.store.denies("a")) == (2, AccountState.RELEASED, False)
        before = lab.rows("SELECT * FROM card_orders ORDER BY sequence")
        await lab.consumer.handle([scored("t-1", at=START - SECOND), scored("t-2"), scored("t-3", at=START + SECOND)])
        assert (await lab.state(), await lab.store.denies("a")) == (AccountState.RELEASED, False)
        assert lab.rows("SELECT * FROM card_orders ORDER BY sequence") == before
        assert lab.effects() == {"t-1": "late", "t-2": "frozen", "t-3": "late"}
        assert [kind for kind, _ in lab.events()] == ["account.frozen", "account.released"]
        await lab.consumer.handle([scored("t-4", at=START + 61 * SECOND)])
        assert (await lab.state(), await lab.store.denies("a")) == (AccountState.FROZEN, True)

    run(tmp_path, scenario, clock)


def test_a_release_counts_whatever_the_clocks_say(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1", at=START + 5 * SECOND)])
        await lab.accounts.release("a", "ann", "known")
        assert await lab.state() is AccountState.RELEASED

    run(tmp_path, scenario)


def test_there_is_nothing_to_release_where_nothing_is_frozen(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(lab: Lab) -> None:
        for account in ("never seen", "a", "a"):
            if account == "a" and not lab.events():
                await lab.consumer.handle([scored("t-1")])
                await lab.accounts.release("a", "ann", "known")
            with pytest.raises(NotFrozen):
                await lab.accounts.release(account, "ann", "known")
        await lab.consumer.handle([scored("t-2", "b")])
        clock.now += 24 * HOUR
        with pytest.raises(NotFrozen):
            await lab.accounts.release("b", "ann", "known")

    run(tmp_path, scenario, clock)


def test_of_twenty_releases_at_once_one_counts(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1")])
        releases = (lab.accounts.release("a", f"user-{n}", "known") for n in range(20))
        ends = await asyncio.gather(*releases, return_exceptions=True)
        assert sum(isinstance(end, NotFrozen) for end in ends) == 19
        assert [kind for kind, _ in lab.events()] == ["account.frozen", "account.released"]

    run(tmp_path, scenario)


def test_a_freeze_ends_by_itself_also_for_the_deny_list(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1")])
        clock.now += 24 * HOUR - 1
        assert (await lab.state(), await lab.store.denies("a")) == (AccountState.FROZEN, True)
        clock.now += 1
        assert (await lab.state(), await lab.store.denies("a")) == (AccountState.ACTIVE, False)
        await lab.consumer.handle([scored("t-old", "b", at=START)])
        assert (await lab.state("b"), lab.effects()["t-old"]) == (AccountState.ACTIVE, "late")
        assert lab.rows("SELECT 1 FROM card_orders WHERE account_id = 'b'") == []

    run(tmp_path, scenario, clock)


def test_any_order_of_events_ends_alike(tmp_path: Path) -> None:
    events = [scored(f"t-{n}", at=START + n * SECOND) for n in range(6)]
    chance, ends = random.Random(7), set()

    async def main() -> None:
        for round_ in range(12):
            shuffled = [*events, *chance.sample(events, 3)]
            chance.shuffle(shuffled)
            async with opened(tmp_path / str(round_), Clock()) as lab:
                for event in shuffled:
                    await lab.consumer.handle([event])
                account, state = await lab.accounts.get("a")
                assert account.freeze is not None
                pending = lab.rows("SELECT transaction_id, kind FROM card_orders WHERE state = 'pending' ORDER BY 2")
                ends.add((account.freeze.cause.transaction_id, state, *pending))

    asyncio.run(main())
    assert ends == {("t-5", AccountState.FROZEN, ("t-5", "block"), ("t-5", "unblock"))}


def test_poison_is_poison_and_a_store_that_fails_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise StorageError("not committed: database or disk is full")

    async def scenario(lab: Lab) -> None:
        with pytest.raises(PoisonEvent):
            await lab.consumer.handle([scored("t-1"), OutboxEvent(2, b'{"event":"transaction.scored"}')])
        assert (lab.effects(), lab.events()) == ({}, [])
        with monkeypatch.context() as broken:
            for method in ("commit", "run"):
                broken.setattr(GroupCommit, method, full)
            for event in (scored("t-1"), scored("t-2", decision="APPROVE")):
                with pytest.raises(StorageError):
                    await lab.consumer.handle([event])
            assert not await lab.store.denies("a")
        await lab.consumer.handle([scored("t-1"), scored("t-2", decision="APPROVE")])
        assert lab.effects() == {"t-1": "frozen", "t-2": "none"}

    run(tmp_path, scenario)
