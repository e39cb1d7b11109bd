"""Events for clients over the embedded installation's file: recorded once, pushed at least once, nobody held up."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.client_events.records import WebhookStatus
from assay.features.windows import DAY, HOUR
from assay.problems import Problem
from assay.sealing import InstallationKey
from assay.webhooks.sender import Message, Outcome
from assay.webhooks.signing import Secret
from functions.client_events.delivery import AT_ONCE, ATTEMPTS, CLAIM_S, COOLDOWN_S, FAILURES, WAITS_S
from functions.client_events.webhooks import Webhooks
from local.cli import app
from local.relay import Relay
from tests.harness.client_events import DOWN, GONE, SECOND, TAKEN, Bench, event, run

A, B = "https://a.example/", "https://b.example/"


def test_the_same_event_is_one_entry_and_one_message(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        await it.add()
        for _ in range(3):
            await it.take(event(1), event(2), event(1))
            await it.deliveries.run()
        assert await it.entries() == [(1, "evt_shop_1"), (2, "evt_shop_2")]
        assert sorted(it.sender.ids()) == ["evt_shop_1", "evt_shop_2"]

    run(tmp_path, scenario)


def test_what_cannot_be_read_is_buried_and_its_neighbours_are_told(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        outbox = SqliteOutbox(it.ledger, ["client_events"])
        await outbox.open()
        forged = event(2).replace(b'"version": 1, "id"', b'"version": 9, "id"')
        rows = [(body, "account.frozen") for body in (event(1), forged, b"{}", event(3))]
        rows.append((json.dumps({"event": "user.logged_in"}).encode(), "user.logged_in"))
        await it.ledger.commits.commit([("INSERT INTO outbox (body, kind) VALUES (?, ?)", row) for row in rows])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("local.relay.BACKOFF_S", 0.0)
            await Relay(outbox, [it.recorder]).drain()
        assert [name for _, name in await it.entries()] == ["evt_shop_1", "evt_shop_3"]
        dead = it.rows("SELECT sequence, reason FROM dead_letters")
        assert [sequence for sequence, _ in dead] == [2, 3]

    run(tmp_path, scenario)


def test_what_is_not_taken_is_tried_for_a_day_then_dead_then_redriven(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        it.sender.answer = DOWN
        await it.add()
        await it.take(event(1))
        for wait in (0, *WAITS_S):
            it.clock.pass_by(1.2 * wait + COOLDOWN_S)
            assert await it.deliveries.run() == 1
        it.clock.pass_by(DAY / SECOND)
        assert await it.deliveries.run() == 0
        assert len(it.sender.sent) == ATTEMPTS
        it.sender.answer = TAKEN
        assert await it.store.redrive(it.clock()) == 1
        assert await it.deliveries.run() == 1
        assert set(it.sender.ids()) == {"evt_shop_1"}
        assert len({message.body for _, message, _ in it.sender.sent}) == 1
        assert it.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]
        assert (await it.webhook())[1].failing_since is None

    run(tmp_path, scenario)


def test_a_process_that_dies_while_it_sends_loses_nothing(tmp_path: Path) -> None:
    class CrashError(BaseException):
        """Nothing catches it."""

    async def before(it: Bench) -> None:
        def crash(_: str, __: Message) -> Outcome:
            raise CrashError

        it.sender.answer = crash
        await it.add()
        await it.take(event(1))
        with pytest.raises(CrashError):
            await it.deliveries.run()

    async def after(it: Bench) -> None:
        assert await it.deliveries.run() == 0  # the first may still be at it
        it.clock.pass_by(CLAIM_S)
        assert await it.deliveries.run() == 1
        assert it.sender.ids() == ["evt_shop_1"]

    run(tmp_path, before)
    run(tmp_path, after)


def test_a_message_that_always_ends_the_process_is_given_up(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        id_ = await it.add()
        await it.take(event(1))
        for _ in range(ATTEMPTS):
            assert len(await it.store.claim(id_, it.clock(), it.clock() + CLAIM_S * SECOND, 9)) == 1
            it.clock.pass_by(CLAIM_S)
        assert await it.deliveries.run() == 1
        assert it.sender.sent == []
        assert it.rows("SELECT state, error FROM webhook_deliveries") == [("dead", "no attempt came to an end")]

    run(tmp_path, scenario)


def test_gone_disables_at_once_and_is_announced(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        it.sender.answer = GONE
        id_ = await it.add()
        await it.take(event(1), event(2))
        await it.deliveries.run()
        webhook, _ = await it.webhook()
        assert (webhook.status, webhook.reason) == (WebhookStatus.DISABLED, "gone")
        created, disabled = it.announced()
        assert (created["event"], created["client_id"]) == ("webhook.created", "shop")
        assert created["data"] == {"webhook_id": id_, "host": "a.example", "events": ["all"]}
        assert (disabled["event"], disabled["client_id"]) == ("webhook.disabled", "system")
        assert disabled["data"] == {"webhook_id": id_, "client_id": "shop", "reason": "gone"}
        sent = len(it.sender.sent)
        await it.take(event(3))
        it.clock.pass_by(DAY / SECOND)
        assert await it.deliveries.run() == 0
        assert len(it.sender.sent) == sent
        assert len(await it.entries()) == 3  # the feed goes on

    run(tmp_path, scenario)


@pytest.mark.parametrize(("recovers", "status"), [(False, WebhookStatus.DISABLED), (True, WebhookStatus.ACTIVE)])
def test_who_takes_nothing_for_five_days_is_disabled(tmp_path: Path, recovers: bool, status: WebhookStatus) -> None:
    async def scenario(it: Bench) -> None:
        await it.add()
        for hour in range(7 * 24):
            it.sender.answer = TAKEN if recovers and hour == 60 else DOWN
            if hour % 20 == 0:
                await it.take(event(hour))
            await it.deliveries.run()
            it.clock.pass_by(HOUR / SECOND)
        webhook, _ = await it.webhook()
        assert webhook.status is status
        disabled = [told["data"]["reason"] for told in it.announced() if told["event"] == "webhook.disabled"]
        assert disabled == ([] if recovers else ["failing"])

    run(tmp_path, scenario)


def test_one_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        it.sender.hangs[A] = asyncio.Event()
        await it.add("slow", name="a")
        await it.add("quick", name="b")
        await it.take(*(event(n, client="slow") for n in range(30)), event(1, client="quick"))
        running = asyncio.create_task(it.deliveries.run())
        await _until(lambda: it.sender.ids(B) == ["evt_quick_1"])
        await it.take(event(2, client="quick"))  # it comes while the other one hangs
        await _until(lambda: it.sender.ids(B) == ["evt_quick_1", "evt_quick_2"])
        assert len(it.sender.ids(A)) == AT_ONCE
        it.sender.hangs[A].set()
        await running
        assert len(set(it.sender.ids(A))) == 30

    run(tmp_path, scenario)


async def _until(holds: object) -> None:
    while not holds():  # type: ignore[operator]
        await asyncio.sleep(0.01)


def test_stopped_in_the_middle_nothing_is_lost(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        it.sender.hangs[A] = asyncio.Event()
        await it.add()
        await it.take(event(1))
        running = asyncio.create_task(it.deliveries.run())
        await _until(lambda: it.sender.ids() == ["evt_shop_1"])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        del it.sender.hangs[A]
        await it.store.open()
        assert await it.deliveries.run() == 1

    run(tmp_path, scenario)


def test_who_is_down_is_left_alone_in_a_storm_and_gets_all_of_it_afterwards(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        it.sender.answer = lambda url, _: DOWN if url == A else TAKEN
        await it.add(name="a")
        await it.add(name="b")
        await it.take(*(event(n) for n in range(1_000)))
        await it.deliveries.run()
        assert len(it.sender.ids(B)) == len(set(it.sender.ids(B))) == 1_000
        assert len(it.sender.ids(A)) == AT_ONCE >= FAILURES
        for _ in range(3):
            it.clock.pass_by(COOLDOWN_S)
            await it.deliveries.run()
        assert len(it.sender.ids(A)) == AT_ONCE + 3
        it.sender.answer = TAKEN
        it.clock.pass_by(2 * WAITS_S[1])
        await it.deliveries.run()
        assert len(set(it.sender.ids(A))) == 1_000
        assert it.rows("SELECT count(*) FROM webhook_deliveries") == [(0,)]
        assert [number for number, _ in await it.entries()] == list(range(1, 1_001))

    run(tmp_path, scenario)


def test_a_secret_is_sealed_and_of_two_the_former_signs_for_a_day(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        id_, first = await it.webhooks.add("shop", A, None)
        second, until = await it.webhooks.rotate("shop", id_)
        assert until == it.clock() + DAY
        webhook, _ = await it.webhook()
        assert await it.webhooks.secrets(webhook) == (Secret.parse(second), Secret.parse(first))
        it.clock.pass_by(DAY / SECOND - 1)
        assert len(await it.webhooks.secrets(webhook)) == 2
        it.clock.pass_by(1)
        assert await it.webhooks.secrets(webhook) == (Secret.parse(second),)
        kept = str(it.rows("SELECT * FROM webhooks") + it.rows("SELECT * FROM outbox"))
        assert all(text not in kept for secret in (first, second) for text in (secret, secret[6:]))
        assert [told["event"] for told in it.announced()] == ["webhook.created", "webhook.secret_rotated"]

    run(tmp_path, scenario)


def test_a_secret_of_another_key_fails_its_webhook_only(tmp_path: Path) -> None:
    async def other() -> InstallationKey:
        return InstallationKey(bytes(32))

    async def scenario(it: Bench) -> None:
        await it.add("other", name="b")
        mine = Webhooks(it.webhooks._store, other, resolve=it.webhooks._resolve, now=it.clock)
        await mine.add("shop", A, None)
        await it.take(event(1), event(1, client="other"))
        await it.deliveries.run()
        assert it.sender.ids() == ["evt_other_1"]
        assert (await it.webhook())[1].error == "its secret cannot be opened"

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("https://shop.example/", ["10.0.0.8"]),
        ("https://shop.example/", ["203.0.114.1", "127.0.0.1"]),
        ("https://localhost/", ["127.0.0.1", "::1"]),
        ("https://metadata.example/", ["169.254.169.254"]),
        ("https://127.0.0.1/", []),
        ("http://shop.example/", []),
        ("https://[fd00::1]/", []),
        ("https://shop.example:22/", []),
    ],
)
def test_private_addresses_are_refused_by_name_too(tmp_path: Path, url: str, addresses: list[str]) -> None:
    async def resolve(_: str) -> list[str]:
        return addresses

    async def scenario(it: Bench) -> None:
        careful = Webhooks(it.webhooks._store, it.webhooks._key, resolve=resolve, now=it.clock)
        with pytest.raises(Problem) as refused:
            await careful.add("shop", url, None)
        assert (refused.value.status, refused.value.errors[0].field) == (422, "url")
        assert "10.0.0.8" not in refused.value.to_json().decode()
        assert await it.webhooks.of_client("shop") == []

    run(tmp_path, scenario)


def test_of_a_rotation_and_a_disabling_at_once_both_hold(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        id_ = await it.add()
        webhook, _ = await it.webhook()
        await it.webhooks.rotate("shop", id_)
        assert await it.webhooks.disable(webhook, "failing") is False  # it has changed: the next failure says it again
        now, _ = await it.webhook()
        assert await it.webhooks.disable(now, "failing") is True
        assert (await it.webhook())[0] == replace(now, status=WebhookStatus.DISABLED, reason="failing", version=3)

    run(tmp_path, scenario)


def test_the_redrive_command(tmp_path: Path) -> None:
    async def scenario(it: Bench) -> None:
        id_ = await it.add()
        await it.take(event(1))
        for _ in range(ATTEMPTS):
            await it.store.claim(id_, it.clock(), it.clock() + 1, 9)
            it.clock.pass_by(1)
        await it.deliveries.run()

    run(tmp_path, scenario)
    for expected in ("1 deliveries are pending again", "0 deliveries are pending again"):
        done = CliRunner().invoke(app, ["events", "redrive", "--data-dir", str(tmp_path)])
        assert (done.exit_code, done.stdout.strip()) == (0, expected)
    assert CliRunner().invoke(app, ["events", "redrive", "--data-dir", str(tmp_path / "no")]).exit_code == 1
