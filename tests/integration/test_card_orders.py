"""Orders on their way to card management: a server on this machine that fails in every way, and a folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from assay.accounts.orders import CardOrder
from assay.accounts.ports import Answer, Outcome
from assay.accounts.records import AccountState
from assay.adapters.cards_http import HttpCardManagement, read_secret, secret_in
from assay.adapters.local.cards import FolderCardManagement
from assay.adapters.sqlite.card_orders import SqliteCardOrderStore
from assay.errors import SettingsError, StorageError
from assay.moments import now as real_now
from assay.webhooks.signing import Secret
from functions.action_layer.cards import NoCards, Patience
from tests.harness import card_system
from tests.harness.accounts import HOUR, SECOND, START, Clock, Lab, run, scored

SECRET = Secret.parse(card_system.SECRET)
STATES = "SELECT kind, state FROM card_orders ORDER BY sequence"


class Scripted:
    """Card management that answers by script, then that it is done."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.ids: list[str] = []

    async def carry_out(self, order: CardOrder) -> Answer:
        self.asked.append(f"{order.kind} {order.account_id}")
        self.ids.append(order.id)
        return self._answers.pop(0) if self._answers else Answer(Outcome.DONE)


RETRY, REFUSED = Answer(Outcome.RETRY, "HTTP 503"), Answer(Outcome.REFUSED, "HTTP 404")


async def given() -> Secret:
    return SECRET


def http(system: card_system.CardSystem, timeout_s: float = 2.0) -> HttpCardManagement:
    return HttpCardManagement(system.url, given, timeout_s)


def test_a_confirmed_freeze_is_a_block(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(lab: Lab) -> None:
        cards = Scripted()
        delivery = lab.delivery(cards)
        await lab.consumer.handle([scored("t-1")])
        assert (await delivery.run(), await delivery.run()) == (1, 0)
        assert await lab.state() is AccountState.BLOCKED
        assert await lab.store.denies("a")
        kind, data = lab.events()[-1]
        assert (kind, data["transaction_id"], data["order_id"]) == ("account.blocked", "t-1", cards.ids[0])
        clock.now += 24 * HOUR
        assert (await delivery.run(), await lab.state()) == (1, AccountState.ACTIVE)
        assert cards.asked == ["block a", "unblock a"]

    run(tmp_path, scenario, clock)


def test_a_release_unblocks_and_takes_the_place_of_what_waits(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(lab: Lab) -> None:
        cards = Scripted(RETRY)
        delivery = lab.delivery(cards)
        await lab.consumer.handle([scored("t-1")])
        await delivery.run()
        await lab.accounts.release("a", "ann", "known")
        clock.now += HOUR
        await delivery.run()
        assert cards.asked == ["block a", "unblock a"]
        assert lab.rows(STATES) == [("block", "dropped"), ("unblock", "dropped"), ("unblock", "done")]
        assert await lab.state() is AccountState.RELEASED

    run(tmp_path, scenario, clock)


def test_an_order_is_retried_with_its_id_then_dead_then_driven_again(tmp_path: Path) -> None:
    clock, patience = Clock(), Patience(attempts=3, failures=100)

    async def scenario(lab: Lab) -> None:
        cards = Scripted(RETRY, RETRY, RETRY, REFUSED)
        delivery = lab.delivery(cards, patience)
        await lab.consumer.handle([scored("t-1")])
        for _ in range(6):
            await delivery.run()
            clock.now += 20 * SECOND
        row = "SELECT state, attempts, error FROM card_orders WHERE kind = 'block'"
        assert (len(cards.asked), lab.rows(row)) == (3, [("dead", 3, "HTTP 503")])
        assert await lab.state() is AccountState.FROZEN  # whatever the cards do
        for expected in (("dead", 1, "HTTP 404"), ("done", 1, "")):
            assert await lab.orders.redrive(clock.now) == 1
            await delivery.run()
            assert lab.rows(row) == [expected]
        assert (len(set(cards.ids)), await lab.state()) == (1, AccountState.BLOCKED)
        assert await lab.orders.redrive(clock.now) == 0
        told = [(kind, data.get("reason")) for kind, data in lab.events() if kind.startswith("card_order.")]
        redriven = ("card_order.redriven", None)
        assert told == [("card_order.dead", "HTTP 503"), redriven, ("card_order.dead", "HTTP 404"), redriven]

    run(tmp_path, scenario, clock)


def test_a_dead_block_is_not_driven_again_after_a_release(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        delivery = lab.delivery(Scripted(REFUSED))
        await lab.consumer.handle([scored("t-1")])
        await delivery.run()
        await lab.accounts.release("a", "ann", "known")
        assert await lab.orders.redrive(lab.clock()) == 0

    run(tmp_path, scenario)


def test_a_block_that_waited_until_the_freeze_was_over_is_dropped(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(lab: Lab) -> None:
        cards = Scripted()
        await lab.consumer.handle([scored("t-1")])
        clock.now += 24 * HOUR
        await lab.delivery(cards).run()
        assert cards.asked == ["unblock a"]
        assert lab.rows(STATES) == [("block", "dropped"), ("unblock", "done")]

    run(tmp_path, scenario, clock)


def test_without_card_management_accounts_are_frozen_and_orders_dropped(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(lab: Lab) -> None:
        delivery = lab.delivery(NoCards())
        await lab.consumer.handle([scored("t-1")])
        assert (await delivery.run(), await lab.state(), await lab.store.denies("a")) == (1, AccountState.FROZEN, True)
        await lab.accounts.release("a", "ann", "known")
        assert (await delivery.run(), await delivery.run()) == (1, 0)
        assert lab.rows("SELECT DISTINCT state, error FROM card_orders") == [("dropped", "")]
        assert [kind for kind, _ in lab.events()] == ["account.frozen", "account.released"]

    run(tmp_path, scenario, clock)


def test_without_time_nothing_is_begun(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1")])
        cards = Scripted()
        assert await lab.delivery(cards).run(lambda: False) == 0
        assert lab.rows("SELECT max(attempts) FROM card_orders") == [(0,)]

    run(tmp_path, scenario)


def test_what_fails_all_the_time_is_left_alone_for_a_while(tmp_path: Path) -> None:
    clock, patience = Clock(), Patience(failures=5, cooldown_s=30, at_once=4, first_wait_s=1.0)

    async def scenario(lab: Lab) -> None:
        cards = Scripted(*[RETRY] * 9)
        delivery = lab.delivery(cards, patience)
        await lab.consumer.handle([scored(f"t-{n}", f"a-{n}") for n in range(40)])
        await delivery.run()
        assert len(cards.asked) == 8  # two rounds of four
        clock.now += 29 * SECOND
        assert await delivery.run() == 0
        clock.now += SECOND
        assert await delivery.run() == 1  # the trial, which fails
        clock.now += 30 * SECOND
        assert await delivery.run() == 40
        assert {state for kind, state in lab.rows(STATES) if kind == "block"} == {"done"}
        assert lab.rows("SELECT max(attempts) FROM card_orders")[0][0] <= 3

    run(tmp_path, scenario, clock)


def test_an_api_that_is_too_late_after_doing_the_work_blocks_once(tmp_path: Path) -> None:
    """The figure: 500 times, exactly one block each."""
    accounts = [f"acct-{n}" for n in range(500)]

    async def scenario(lab: Lab) -> None:
        at = real_now()
        await lab.consumer.handle([scored(f"t-{name}", name, at) for name in accounts])
        with card_system.running(card_system.too_late_at_first) as system:
            async with http(system, timeout_s=0.3) as cards:
                delivery = lab.delivery(cards, Patience(first_wait_s=0.0, failures=1_000_000, at_once=50))
                assert await delivery.run() >= 1_000
        assert system.faults == []
        assert min(system.calls.values()) >= 2
        assert sorted(system.orders("cards.block")) == sorted(accounts)
        assert system.blocked() == set(accounts)
        assert {await lab.state(name) for name in accounts} == {AccountState.BLOCKED}
        kinds = [kind for kind, _ in lab.events()]
        assert (kinds.count("account.frozen"), kinds.count("account.blocked"), len(kinds)) == (500, 500, 1_000)

    run(tmp_path, scenario, real_now)


HUGE = b"x" * 1_000_000


@pytest.mark.parametrize(
    ("behaviour", "attempts", "state"),
    [
        (card_system.good, 1, "done"),
        (card_system.saying(204), 1, "done"),
        (card_system.saying(409, b'{"error":"blocked already"}'), 1, "done"),
        (card_system.saying(404, b"unknown account"), 1, "dead"),
        (card_system.saying(400), 1, "dead"),
        (card_system.saying(302, Location="http://127.0.0.1:1/"), 1, "dead"),
        (card_system.saying(200, b'{"status":"error"}'), 3, "dead"),
        (card_system.saying(200, b"<html>"), 3, "dead"),
        (card_system.saying(200, HUGE), 3, "dead"),
        (card_system.saying(200), 3, "dead"),
        (card_system.saying(500), 3, "dead"),
        (card_system.saying(503, Retry_After="0"), 3, "dead"),
        (card_system.saying(401), 3, "dead"),
        (card_system.saying(200, b"garbage", times=2), 3, "done"),
        (card_system.saying(503, times=1), 2, "done"),
        (card_system.too_late_at_first, 2, "done"),
        (lambda call: call.say_nothing(), 3, "dead"),
    ],
)
def test_what_a_card_system_may_answer(
    tmp_path: Path, behaviour: card_system.Behaviour, attempts: int, state: str
) -> None:
    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1", at=real_now())])
        with card_system.running(behaviour) as system:
            async with http(system, timeout_s=0.3) as cards:
                await lab.delivery(cards, Patience(attempts=3, first_wait_s=0.0, failures=100)).run()
        assert (system.faults, list(system.calls.values())) == ([], [attempts])
        assert lab.rows("SELECT state, attempts FROM card_orders WHERE kind = 'block'") == [(state, attempts)]
        assert await lab.state() is (AccountState.BLOCKED if state == "done" else AccountState.FROZEN)

    run(tmp_path, scenario, real_now)


def test_nobody_listens(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        with card_system.running(card_system.good) as system:
            pass
        await lab.consumer.handle([scored("t-1", at=real_now())])
        async with http(system) as cards:
            await lab.delivery(cards, Patience(attempts=2, first_wait_s=0.0)).run()
        assert lab.rows("SELECT state FROM card_orders WHERE kind = 'block'") == [("dead",)]

    run(tmp_path, scenario, real_now)


def test_a_folder_holds_one_file_per_order(tmp_path: Path) -> None:
    folder = tmp_path / "card-management"

    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1")])
        (order,) = await lab.orders.claim(START, START + SECOND, 8)
        cards = FolderCardManagement(folder)
        assert [await cards.carry_out(order) for _ in range(3)] == [Answer(Outcome.DONE)] * 3
        assert [path.name for path in folder.iterdir()] == [f"{order.id}.json"]
        document = json.loads((folder / f"{order.id}.json").read_text())
        assert (document["type"], document["data"]["account_id"]) == ("cards.block", "a")

    run(tmp_path, scenario)


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1")])
        (order,) = await lab.orders.claim(START, START + SECOND, 8)
        answer = await FolderCardManagement(tmp_path / "file").carry_out(order)
        assert answer.outcome is Outcome.RETRY

    run(tmp_path, scenario)


def test_a_store_that_fails_between_the_answer_and_its_record_repeats_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    async def full(*_: object) -> None:
        raise StorageError("not committed: database or disk is full")

    async def scenario(lab: Lab) -> None:
        cards = Scripted()
        delivery = lab.delivery(cards)
        await lab.consumer.handle([scored("t-1")])
        with monkeypatch.context() as broken:
            broken.setattr(SqliteCardOrderStore, "settle", full)
            with pytest.raises(StorageError):
                await delivery.run()
        assert await delivery.run() == 0
        clock.now += 60 * SECOND
        assert await delivery.run() == 1
        assert (len(set(cards.ids)), len(cards.ids)) == (1, 2)
        assert [kind for kind, _ in lab.events()] == ["account.frozen", "account.blocked"]

    run(tmp_path, scenario, clock)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cards",
        "ftp://cards",
        "http://cards.example",
        "http://10.0.0.1/",
        "https://u:p@cards.example",
        "https://x#y",
    ],
)
def test_a_url_that_orders_must_not_go_to(url: str) -> None:
    async def main() -> None:
        with pytest.raises(SettingsError, match="card management"):
            HttpCardManagement(url, given)

    asyncio.run(main())


@pytest.mark.parametrize("content", [None, b"", b"whsec_", b"secret", b"\xff\xff", b"whsec_" + b"A" * 2_000])
def test_a_secret_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_secret(file)
    assert "AAAA" not in str(refused.value)


def test_an_order_that_cannot_be_signed_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "secret"

    async def scenario(lab: Lab) -> None:
        await lab.consumer.handle([scored("t-1", at=real_now())])
        with card_system.running(card_system.good) as system:
            async with HttpCardManagement(system.url, secret_in(file)) as cards:
                delivery = lab.delivery(cards, Patience(first_wait_s=0.0, failures=1))
                assert await delivery.run() == 1
                assert "cannot be signed" in caplog.text
                assert lab.rows("SELECT error FROM card_orders WHERE attempts = 1") == [("no secret to sign with",)]
                file.write_text(card_system.SECRET)  # put there meanwhile
                assert await lab.delivery(cards).run() == 1
        assert (system.faults, system.blocked()) == ([], {"a"})

    run(tmp_path, scenario, real_now)


def test_a_secret_file_may_be_a_link(tmp_path: Path) -> None:
    """As orchestrators mount them."""
    (tmp_path / "real").write_text(card_system.SECRET + "\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert read_secret(tmp_path / "link") == SECRET
