"""Alerts over the embedded installation's file: recorded once, sent at least once, few mails in a storm."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.adapters.local.mail import FolderMailer
from assay.adapters.sqlite.alerts import SqliteAlertStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.outbox import SqliteOutbox
from assay.alerts.config import AlertsConfig, default
from assay.alerts.ports import Mailer, Undelivered
from assay.alerts.records import MAIL, Filter, Position, State
from assay.errors import StorageError
from functions.alerts.channels import Channel, Mails, WebhookCalls
from functions.alerts.consumer import AlertRecorder
from functions.alerts.delivery import ATTEMPTS, CLAIM_S, Delivery
from functions.alerts.mails import Writer
from local.alerts import redrive
from local.relay import Relay
from tests.harness.alerts import MINUTE, Clock, Postbox, config, eml, events, happened, scored

LATER, NEVER = Undelivered("SMTP 451"), Undelivered("SMTP 550", is_permanent=True)
EVERYTHING = Filter()


class CrashError(BaseException):
    """Nothing catches it."""


@dataclass
class Installation:
    """What a test works with; a second one over the same ledger is another process."""

    ledger: SqliteLedger
    clock: Clock
    config: AlertsConfig
    mailer: Mailer
    webhooks: Calls | None = None

    def __post_init__(self) -> None:
        self.store = SqliteAlertStore(self.ledger)
        self.recorder = AlertRecorder(self.store, self.config, self.clock)
        writer = Writer("assay@localhost", None)
        channels: dict[str, Channel] = {MAIL: Mails(writer, self.mailer)}
        if self.webhooks is not None:
            channels |= dict.fromkeys(self.config.webhooks, WebhookCalls(writer, self.webhooks))
        self.delivery = Delivery(self.store, channels, self.clock)

    async def take(self, *bodies: bytes) -> None:
        await self.recorder.handle(events(*bodies))

    async def pass_by(self, minutes: int) -> None:
        """Minute by minute, sending what becomes due."""
        for _ in range(minutes):
            self.clock.pass_by(MINUTE)
            await self.delivery.run()

    async def states(self) -> list[str]:
        listed = await self.store.page(EVERYTHING, None, 10_000)
        return [message.state for alert in reversed(listed) for message in alert.messages]


class Calls:
    """Webhooks that keep what they are called with."""

    def __init__(self, *failures: Undelivered) -> None:
        self.failures = list(failures)
        self.made: list[tuple[str, str]] = []

    async def send(self, webhook: str, message_id: str, body: bytes) -> None:
        self.made.append((webhook, message_id))
        if self.failures:
            raise self.failures.pop(0)


def run(
    folder: Path,
    scenario: Callable[[Installation], Awaitable[None]],
    mailer: Mailer | None = None,
    settings: AlertsConfig | None = None,
    webhooks: Calls | None = None,
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as opened:
            ledger = SqliteLedger(folder / "assay.db")
            opened.push_async_callback(ledger.close)
            await scenario(Installation(ledger, Clock(), settings or default(), mailer or Postbox(), webhooks))

    asyncio.run(main())


def test_the_same_event_three_times_and_out_of_order_is_one_alert_and_one_mail(tmp_path: Path) -> None:
    postbox = Postbox()

    async def scenario(it: Installation) -> None:
        bodies = [scored(n) for n in range(4)]
        shuffled = bodies * 3
        random.Random(7).shuffle(shuffled)
        await it.take(*shuffled[:5])
        await it.delivery.run()
        await it.take(*shuffled[5:])
        await it.take(bodies[0])
        await it.delivery.run()
        assert len(await it.store.page(EVERYTHING, None, 100)) == 4

    run(tmp_path, scenario, postbox)
    assert len(postbox.mails) == len({mail["Message-ID"] for mail in postbox.mails}) == 4


def test_a_forged_event_is_buried_and_its_neighbours_alert(tmp_path: Path) -> None:
    postbox = Postbox()

    async def scenario(it: Installation) -> None:
        outbox = SqliteOutbox(it.ledger, ["alerts"])
        await outbox.open()
        bodies = (scored(1), scored(2).replace(b'"version":1', b'"version":9'), b'{"forged": true}', scored(3))
        await it.ledger.commits.commit([("INSERT INTO outbox (body) VALUES (?)", (body,)) for body in bodies])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("local.relay.BACKOFF_S", 0.0)
            await Relay(outbox, [it.recorder]).drain()
        dead = it.ledger.reader.execute("SELECT sequence, reason FROM dead_letters").fetchall()
        assert [sequence for sequence, _ in dead] == [2, 3]
        assert all(reason.startswith("PoisonEvent: not an event of Assay") for _, reason in dead)
        await it.delivery.run()

    run(tmp_path, scenario, postbox)
    assert len(postbox.mails) == 2


def test_an_event_of_another_kind_alerts_where_it_is_named(tmp_path: Path) -> None:
    postbox = Postbox()
    people = config("routes: [{name: people, when: [{events: [session.reuse_detected]}], to: [lead@x]}]")

    async def scenario(it: Installation) -> None:
        outbox = SqliteOutbox(it.ledger, ["alerts"])
        await outbox.open()
        kinds = ("user.logged_in", "session.reuse_detected", "session.reuse_detected")
        rows = [(happened(kind, 1, user="usr_7"), kind) for kind in kinds] + [(scored(1), "transaction.scored")]
        await it.ledger.commits.commit([("INSERT INTO outbox (body, kind) VALUES (?, ?)", row) for row in rows])
        await Relay(outbox, [it.recorder]).drain()
        await it.delivery.run()
        ((listed),) = await it.store.page(EVERYTHING, None, 10)
        assert (listed.alert.kind, listed.alert.transaction_id) == ("session.reuse_detected", None)
        assert await it.store.page(Filter(client_id="system"), None, 10) == []

    run(tmp_path, scenario, postbox, people)
    (mail,) = postbox.mails
    assert mail["Subject"] == "Assay: session.reuse_detected (people)"
    assert "user: usr_7" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_after_a_crash_between_recording_and_sending_it_is_sent(tmp_path: Path) -> None:
    async def before(it: Installation) -> None:
        await it.take(scored(1))

    postbox = Postbox()

    async def after(it: Installation) -> None:
        await it.delivery.run()
        await it.delivery.run()

    run(tmp_path, before)
    run(tmp_path, after, postbox)
    assert len(postbox.mails) == 1


def test_after_a_crash_while_sending_it_is_sent_again_with_the_same_id(tmp_path: Path) -> None:
    first, second = Postbox(), Postbox()

    async def before(it: Installation) -> None:
        async def no_power(_: object) -> None:
            raise CrashError

        await it.take(scored(1))
        it.store.settle = no_power  # type: ignore[method-assign, assignment]
        with pytest.raises(CrashError):
            await it.delivery.run()

    async def after(it: Installation) -> None:
        await it.delivery.run()
        assert second.mails == []  # the first one may still be at it
        it.clock.pass_by(CLAIM_S * 1_000_000)
        await it.delivery.run()
        assert await it.states() == [State.SENT]

    run(tmp_path, before, first)
    run(tmp_path, after, second)
    assert first.mails[0].as_bytes() == second.mails[0].as_bytes()


def test_a_message_that_always_ends_the_process_is_given_up(tmp_path: Path) -> None:
    async def scenario(it: Installation) -> None:
        await it.take(scored(1))
        for _ in range(ATTEMPTS):
            with pytest.raises(RuntimeError):
                await it.delivery.run()
            it.clock.pass_by(CLAIM_S * 1_000_000)
        await it.delivery.run()
        assert await it.states() == [State.DEAD]

    run(tmp_path, scenario, Postbox(*[RuntimeError("bug")] * 100))


def test_two_processes_do_not_send_the_same(tmp_path: Path) -> None:
    gate = asyncio.Event()

    class Slow(Postbox):
        async def send(self, mail, recipients):  # type: ignore[no-untyped-def]
            await gate.wait()
            return await super().send(mail, recipients)

    postbox = Slow()

    async def scenario(it: Installation) -> None:
        other = Installation(it.ledger, it.clock, it.config, postbox)
        await it.take(scored(1))
        sending = asyncio.create_task(it.delivery.run())
        while not it.ledger.reader.execute("SELECT 1 FROM alert_messages WHERE attempts = 1").fetchall():
            await asyncio.sleep(0)
        assert await other.delivery.run() == 0
        gate.set()
        assert await sending == 1

    run(tmp_path, scenario, postbox)
    assert len(postbox.mails) == 1


def test_who_is_late_does_not_undo_what_another_settled(tmp_path: Path) -> None:
    async def scenario(it: Installation) -> None:
        await it.take(scored(1))
        now = it.clock.now
        (late,) = await it.store.claim(MAIL, now, now + 1, 10)
        (again,) = await it.store.claim(MAIL, now + 1, now + 2, 10)
        await it.store.settle(late)
        assert (await it.store.claim(MAIL, now + 1, now + 2, 10)) == []
        assert (again.attempts, again.due_at) == (2, now + 2)

    run(tmp_path, scenario)


@pytest.mark.parametrize("minutes", [0, 4, 20, 100])
def test_a_storm_of_1000_alerts_is_at_most_10_mails(tmp_path: Path, minutes: int) -> None:
    postbox = Postbox()

    async def scenario(it: Installation) -> None:
        for n in range(1_000):
            await it.take(scored(n))
            it.clock.pass_by(minutes * MINUTE // 1_000)
            if n % 10 == 0:
                await it.delivery.run()
        await it.pass_by(61)
        assert set(await it.states()) == {State.SENT}

    run(tmp_path, scenario, postbox)
    subjects = [str(mail["Subject"]) for mail in postbox.mails]
    assert 6 <= len(subjects) <= 10
    digests = [subject for subject in subjects if "alerts" in subject]
    assert sum(int(subject.split()[1]) for subject in digests) + len(subjects) - len(digests) == 1_000
    assert subjects.count("Assay: DECLINE (declined)") == 5


def test_a_storm_while_the_mail_server_is_down_is_as_few_mails_afterwards(tmp_path: Path) -> None:
    down = Postbox(*[Undelivered("ConnectionRefusedError")] * 25)

    async def scenario(it: Installation) -> None:
        for n in range(1_000):
            await it.take(scored(n))
        await it.delivery.run()
        await it.pass_by(120)
        assert set(await it.states()) == {State.SENT}

    run(tmp_path, scenario, down)
    assert down.failures == []
    assert len(down.mails) == 6


def test_an_alert_that_comes_when_the_digest_is_being_sent_is_in_another(tmp_path: Path) -> None:
    async def scenario(it: Installation) -> None:
        for n in range(7):
            await it.take(scored(n))
        end = it.clock.now + 5 * MINUTE
        (digest,) = [m for m in await it.store.claim(MAIL, end, end + 1, 10) if m.is_digest]
        await it.take(scored(7))  # its event was read before the window's end
        assert (await it.store.carried(digest, 50))[1] == 2
        await it.store.settle(digest)
        await it.pass_by(30)
        assert len(await it.states()) == 8

    postbox = Postbox()
    run(tmp_path, scenario, postbox)
    assert [str(mail["Subject"]).split()[1] for mail in postbox.mails] == ["DECLINE"] * 5 + ["2", "1"]


def test_dead_ones_are_sent_when_they_are_driven_again_to_whom_they_did_not_reach(tmp_path: Path) -> None:
    two = config("routes: [{name: a, when: [{decisions: [DECLINE]}], to: [one@x, two@x]}]")
    postbox = Postbox({"two@x": NEVER}, *[LATER] * ATTEMPTS)

    async def scenario(it: Installation) -> None:
        await it.take(scored(1))
        await it.delivery.run()
        assert await it.states() == [State.DEAD]
        await it.take(scored(2))
        await it.pass_by(300)
        assert await it.states() == [State.DEAD] * 2
        assert await it.delivery.run() == 0
        assert await asyncio.to_thread(redrive, tmp_path / "assay.db") == 2
        it.clock.now = 1 << 60  # the command has the real time
        assert await it.delivery.run() == 2
        assert await it.states() == [State.SENT] * 2
        assert await asyncio.to_thread(redrive, tmp_path / "assay.db") == 0

    run(tmp_path, scenario, postbox, two)
    assert [str(mail["To"]) for mail in postbox.mails] == ["one@x, two@x", "two@x", "one@x, two@x"]


def test_there_is_nothing_to_redrive_without_a_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        redrive(tmp_path / "assay.db")
    assert not list(tmp_path.iterdir())


HOOKS = """
allow_local_webhooks: true
webhooks:
  siem: {url: "http://127.0.0.1:1/", secrets: [env:SIEM]}
routes:
  - {name: a, when: [{decisions: [DECLINE]}], to: [a@x], webhooks: [siem]}
  - {name: b, when: [{min_fraud_score: 0.5}], webhooks: [siem]}
"""


def test_a_webhook_is_called_once_per_alert_with_the_same_id_in_every_attempt(tmp_path: Path) -> None:
    calls, postbox = Calls(LATER, LATER, NEVER), Postbox()

    async def scenario(it: Installation) -> None:
        await it.take(scored(1), scored(1))
        await it.delivery.run()
        await it.pass_by(10)
        (second, first) = await it.store.page(EVERYTHING, None, 10)
        states = {(one.alert.route, m.channel): m.state for one in (first, second) for m in one.messages}
        dead = [key for key, state in states.items() if state is State.DEAD]
        assert len(states) == 3 and len(dead) == 1 and dead[0][1] == "siem"

    run(tmp_path, scenario, postbox, config(HOOKS), calls)
    assert len(postbox.mails) == 1
    assert len({id_ for _, id_ in calls.made}) == 2
    assert len(calls.made) == 4


def test_a_channel_that_hangs_holds_no_other_up(tmp_path: Path) -> None:
    class Hanging(Calls):
        async def send(self, webhook: str, message_id: str, body: bytes) -> None:
            await asyncio.Event().wait()

    postbox = Postbox()

    async def scenario(it: Installation) -> None:
        await it.take(scored(1))
        hanging = asyncio.create_task(it.delivery.run_channel("siem"))
        await it.delivery.run_channel(MAIL)
        assert len(postbox.mails) == 1
        hanging.cancel()

    run(tmp_path, scenario, postbox, config(HOOKS), Hanging())


def test_pages_are_newest_first_and_complete(tmp_path: Path) -> None:
    async def scenario(it: Installation) -> None:
        for n in range(25):
            await it.take(scored(n, client_id="shop" if n % 2 else "bank"))
            it.clock.pass_by(MINUTE if n % 5 else 0)
        whole = [listed.alert for listed in await it.store.page(EVERYTHING, None, 100)]
        assert whole == sorted(whole, key=lambda alert: (alert.created_at, alert.id), reverse=True)
        paged, after = [], None
        while page := await it.store.page(EVERYTHING, after, 4):
            paged += [listed.alert for listed in page]
            after = Position(paged[-1].created_at, paged[-1].id)
        assert paged == whole and len(whole) == 25
        own = await it.store.page(Filter(client_id="shop"), None, 100)
        assert {listed.alert.client_id for listed in own} == {"shop"} and len(own) == 12
        assert await it.store.page(Filter(route="other"), None, 10) == []
        await it.delivery.run()
        sent = await it.store.page(Filter(state=State.SENT), None, 100)
        pending = await it.store.page(Filter(state=State.PENDING), None, 100)
        assert len(sent) + len(pending) == 25 and sent and pending
        assert await it.store.page(Filter(client_id="shop", state=State.DEAD), None, 10) == []

    run(tmp_path, scenario)


def test_mails_in_a_folder_are_whole_and_one_file_each(tmp_path: Path) -> None:
    async def scenario(it: Installation) -> None:
        await it.take(scored(1), scored(2))
        await it.delivery.run()
        await it.ledger.commits.commit([("UPDATE alert_messages SET state = 'pending', due_at = 0", ())])
        await it.delivery.run()

    mailbox = tmp_path / "mailbox"
    run(tmp_path, scenario, FolderMailer(mailbox))
    assert len(eml(mailbox)) == 2
    assert sorted(path.suffix for path in mailbox.iterdir()) == [".eml", ".eml"]
    assert all(b"Subject: Assay: DECLINE (declined)\r\n" in mail for mail in eml(mailbox))


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    mailbox = tmp_path / "mailbox"
    mailbox.write_text("in the way")

    async def scenario(it: Installation) -> None:
        await it.take(scored(1))
        await it.delivery.run()
        assert await it.states() == [State.PENDING]
        mailbox.unlink()
        await it.pass_by(2)
        assert await it.states() == [State.SENT]

    run(tmp_path, scenario, FolderMailer(mailbox))
    assert len(eml(mailbox)) == 1


def test_a_store_that_fails_records_nothing(tmp_path: Path) -> None:
    async def scenario(it: Installation) -> None:
        await it.ledger.commits.commit([("DROP TABLE alert_carriers", ())])
        with pytest.raises(StorageError):
            await it.take(scored(1))
        assert it.ledger.reader.execute("SELECT count(*) FROM alerts").fetchone() == (0,)

    run(tmp_path, scenario)
