"""Challenges over a real file: tries, sends, expiry, each also many at once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.challenges import totp
from assay.challenges.ports import Contact
from assay.challenges.records import ChallengeStatus, Delivery, Method
from assay.errors import PoisonEvent
from assay.features.windows import SECOND
from assay.ports import OutboxEvent
from assay.problems import Problem
from functions.challenges.apps import MISSES
from functions.challenges.sending import CLAIM_S
from tests.harness.challenges import LIMITS, START, Bench, offer, other, run, scored, secret_of

WRONG_FOR = {
    "account": {"account_id": "a-2"},
    "amount": {"amount": Decimal("25.51")},
    "currency": {"currency": "USD"},
    "counterparty": {"counterparty_id": "m-2"},
    "no counterparty": {"counterparty_id": None},
}


def test_the_right_code_passes_once(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        challenge = await bench.open()
        assert await bench.verify(challenge, bench.sender.code) == "passed"
        assert await bench.verify(challenge, bench.sender.code) == "already_used"
        assert bench.decisions() == [(challenge, "APPROVE", "step_up_passed")]
        assert len(bench.events("challenge.passed")) == 1
        bench.pass_time(LIMITS.ttl_s)
        assert await bench.challenges.sweep() == 0
        assert await bench.verify(challenge, bench.sender.code) == "already_used"

    run(tmp_path, scenario)


@pytest.mark.parametrize("what", WRONG_FOR)
def test_the_right_code_for_something_else_is_a_wrong_one(tmp_path: Path, what: str) -> None:
    async def scenario(bench: Bench) -> None:
        challenge = await bench.open()
        assert await bench.verify(challenge, bench.sender.code, **WRONG_FOR[what]) == "wrong_code"
        found = await bench.challenges.find(challenge, "shop")
        assert (found.status, found.tries) == (ChallengeStatus.PENDING, 1)
        assert await bench.verify(challenge, bench.sender.code) == "passed"

    run(tmp_path, scenario)


def test_the_fifth_wrong_code_fails_it(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        challenge, code = await bench.open(), bench.sender.code
        left = []
        for _ in range(LIMITS.tries - 1):
            with pytest.raises(Problem) as raised:
                await bench.challenges.verify(challenge, "shop", offer(other(code)))
            assert (raised.value.status, raised.value.code) == (422, "wrong_code")
            left.append(json.loads(raised.value.to_json())["tries_left"])
        assert left == [4, 3, 2, 1]
        assert await bench.verify(challenge, other(code)) == "failed"
        assert await bench.verify(challenge, code) == "failed"
        assert bench.decisions() == [(challenge, "DECLINE", "step_up_failed")]

    run(tmp_path, scenario)


def test_nobody_elses(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        challenge = await bench.open()
        assert await bench.verify(challenge, bench.sender.code, client="other") == "unknown_challenge"
        assert await bench.verify("chl_0", bench.sender.code) == "unknown_challenge"
        with pytest.raises(Problem, match="unknown_challenge"):
            await bench.challenges.resend(challenge, "other")
        found = await bench.challenges.find(challenge, None)
        assert (found.tries, len(bench.sender.messages)) == (0, 1)

    run(tmp_path, scenario)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["right", "wrong", "amount", "resend", "sweep"]), min_size=1, max_size=25), st.data())
def test_however_many_at_once(kinds: list[str], data: st.DataObject) -> None:
    """Five tries are answered and no more, it ends once, and there is one final decision for an end."""
    late = data.draw(st.booleans())

    async def scenario(bench: Bench) -> None:
        challenge, code = await bench.open(), bench.sender.code
        if late:
            bench.pass_time(LIMITS.ttl_s)

        async def do(kind: str) -> str:
            match kind:
                case "right":
                    return await bench.verify(challenge, code)
                case "wrong":
                    return await bench.verify(challenge, other(code))
                case "amount":
                    return await bench.verify(challenge, code, amount=Decimal(1))
                case "sweep":
                    await bench.challenges.sweep()
                    return kind
            try:
                await bench.challenges.resend(challenge, "shop")
            except Problem as problem:
                return f"resend: {problem.code}"
            return kind

        ends = Counter(await asyncio.gather(*(do(kind) for kind in kinds)))
        found = await bench.challenges.find(challenge, "shop")
        assert ends["passed"] == (found.status is ChallengeStatus.PASSED)
        assert ends["wrong_code"] + ends["passed"] <= LIMITS.tries
        assert found.tries <= LIMITS.tries
        assert len(bench.sender.messages) <= LIMITS.sends
        assert len(bench.decisions()) == (found.status is not ChallengeStatus.PENDING)
        if late:
            assert found.status is ChallengeStatus.EXPIRED

    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), scenario)


def test_the_same_event_sends_once(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        event = scored(1, bench.moment)
        await bench.opener.handle([event, event, event])
        await bench.opener.handle([event])
        await asyncio.gather(*(bench.opener.handle([event]) for _ in range(5)))
        assert len(bench.sender.messages) == 1
        assert await bench.verify("chl_1", bench.sender.code) == "passed"
        await bench.opener.handle([event])
        assert len(bench.sender.messages) == 1
        assert len(bench.events("challenge.sent")) == 1

    run(tmp_path, scenario)


def test_the_same_event_changes_nothing_later(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        for n in range(LIMITS.sends + 1):
            await bench.open(n)
        limited = await bench.challenges.find(f"chl_{LIMITS.sends}", "shop")
        assert limited.delivery is Delivery.LIMITED
        bench.sender.needs_contact = True
        await bench.opener.handle([scored(n, bench.moment) for n in range(LIMITS.sends + 1)])
        assert await bench.challenges.find(limited.id, "shop") == limited
        assert len(bench.events("challenge.not_sent")) == 1

    run(tmp_path, scenario)


def test_what_became_of_a_void_code_does_not_matter(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        begun, may_end = asyncio.Event(), asyncio.Event()

        async def stall() -> None:
            bench.sender.before = None
            begun.set()
            await may_end.wait()
            bench.sender.refuse = 1

        bench.sender.before = stall
        first = asyncio.create_task(bench.open())
        await begun.wait()
        await bench.challenges.resend("chl_1", "shop")
        may_end.set()
        await first
        assert (await bench.challenges.find("chl_1", "shop")).delivery is Delivery.SENT
        assert await bench.verify("chl_1", bench.sender.code) == "passed"

    run(tmp_path, scenario)


def test_events_without_a_challenge_and_others(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.opener.handle([scored(1, bench.moment, asks=False)])
        assert await bench.store.get("chl_1") is None
        with pytest.raises(PoisonEvent):
            await bench.opener.handle([OutboxEvent(1, b'{"event":"transaction.scored"}')])

    run(tmp_path, scenario)


def test_a_late_event_begins_as_expired(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        event = scored(1, bench.moment)
        bench.pass_time(LIMITS.ttl_s)
        await bench.opener.handle([event])
        await bench.opener.handle([event])
        assert bench.sender.messages == []
        assert bench.decisions() == [("chl_1", "DECLINE", "step_up_expired")]
        assert await bench.verify("chl_1", "000000") == "expired"

    run(tmp_path, scenario)


def test_it_expires_by_itself_once(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        for n in range(300):
            await bench.open(n, account=f"a-{n}")
        codes = [message.code for message in bench.sender.messages]
        bench.moment = START + LIMITS.ttl_s * SECOND - 1
        assert await bench.challenges.sweep() == 0
        assert await bench.verify("chl_7", codes[7], account_id="a-7") == "passed"
        bench.moment += 1
        assert await bench.verify("chl_8", codes[8], account_id="a-8") == "expired"
        assert (await bench.challenges.find("chl_9", "shop")).status is ChallengeStatus.EXPIRED
        await asyncio.gather(*(bench.challenges.sweep() for _ in range(3)))
        assert await bench.challenges.sweep() == 0
        ends = bench.decisions()
        assert len(ends) == len({challenge for challenge, _, _ in ends}) == 300
        assert Counter(reason for _, _, reason in ends) == {"step_up_expired": 299, "step_up_passed": 1}

    run(tmp_path, scenario)


def test_a_new_code_voids_the_one_before(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        challenge, first = await bench.open(), bench.sender.code
        await bench.challenges.resend(challenge, "shop")
        second = bench.sender.code
        if first != second:
            assert await bench.verify(challenge, first) == "wrong_code"
        assert await bench.verify(challenge, second) == "passed"
        with pytest.raises(Problem, match="already_used"):
            await bench.challenges.resend(challenge, "shop")

    run(tmp_path, scenario)


def test_three_codes_in_ten_minutes_over_all_challenges(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.open(1)
        bench.pass_time(60)
        await bench.challenges.resend(first, "shop")
        await bench.open(2)
        assert len(bench.sender.messages) == 3
        limited = await bench.open(3)
        found = await bench.challenges.find(limited, "shop")
        assert (found.delivery, found.status) == (Delivery.LIMITED, ChallengeStatus.PENDING)
        for code in ("000000", bench.sender.code):
            assert await bench.verify(limited, code) == "wrong_code"
        with pytest.raises(Problem) as raised:
            await bench.challenges.resend(limited, "shop")
        assert (raised.value.status, raised.value.code) == (429, "too_many_sends")
        assert raised.value.headers["Retry-After"] == str(LIMITS.sends_window_s - 60)
        await bench.open(4, account="a-2")
        await bench.open(5, client="other")
        assert len(bench.sender.messages) == 5

        bench.pass_time(LIMITS.sends_window_s - 60)
        last = await bench.open(6)
        assert await bench.verify(last, bench.sender.code) == "passed"

    run(tmp_path, scenario)


def test_a_code_that_is_not_taken_can_be_sent_again(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.sender.refuse = 2
        challenge = await bench.open()
        assert (await bench.challenges.find(challenge, "shop")).delivery is Delivery.UNDELIVERED
        with pytest.raises(Problem, match="undelivered"):
            await bench.challenges.resend(challenge, "shop")
        found = await bench.challenges.resend(challenge, "shop")
        assert (found.delivery, found.sent_at) == (Delivery.SENT, START)
        reasons = [event["data"]["reason"] for event in bench.events("challenge.not_sent")]
        assert reasons == ["undelivered", "undelivered"]

    run(tmp_path, scenario)


def test_a_code_that_arrived_though_nobody_said_so_is_right(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.sender.loses_answers = True
        challenge = await bench.open()
        assert (await bench.challenges.find(challenge, "shop")).delivery is Delivery.UNDELIVERED
        assert await bench.challenges.sweep() == 0, "nobody sends it again unasked"
        assert await bench.verify(challenge, bench.sender.code) == "passed"

    run(tmp_path, scenario)


def test_without_a_contact_it_is_undeliverable(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.sender.needs_contact = True
        challenge = await bench.open()
        assert (await bench.challenges.find(challenge, "shop")).delivery is Delivery.UNDELIVERABLE
        with pytest.raises(Problem, match="undeliverable"):
            await bench.challenges.resend(challenge, "shop")
        await bench.contacts.put("shop", "a-1", Contact(email="someone@example.org"))
        found = await bench.challenges.resend(challenge, "shop")
        assert found.delivery is Delivery.SENT
        assert await bench.verify(challenge, bench.sender.code) == "passed"

    run(tmp_path, scenario)


def test_what_a_process_left_is_sent_after_its_claim(tmp_path: Path) -> None:
    class Stopped(BaseException):
        pass

    async def stop() -> None:
        raise Stopped

    async def dies(bench: Bench) -> None:
        bench.sender.before = stop
        with pytest.raises(Stopped):
            await bench.open()

    async def goes_on(bench: Bench) -> None:
        await bench.opener.handle([scored(1, START)])
        assert await bench.challenges.sweep() == 0
        bench.pass_time(CLAIM_S)
        await asyncio.gather(*(bench.challenges.sweep() for _ in range(3)))
        assert len(bench.sender.messages) == 1
        assert await bench.challenges.sweep() == 0
        assert await bench.verify("chl_1", bench.sender.code) == "passed"

    run(tmp_path, dies)
    run(tmp_path, goes_on, START + 1)


def test_an_authenticator_app_instead_of_a_code(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        secret = await bench.enrol()
        challenge = await bench.open()
        found = await bench.challenges.find(challenge, "shop")
        assert (found.method, found.delivery, bench.sender.messages) == (Method.TOTP, Delivery.NOT_NEEDED, [])
        step = totp.step_of(bench.moment)
        for wrong in (step - 2, step + 2):
            assert await bench.verify(challenge, totp.code_at(secret, wrong)) == "wrong_code"
        assert await bench.verify(challenge, totp.code_at(secret, step), amount=Decimal(1)) == "wrong_code"
        assert await bench.verify(challenge, totp.code_at(secret, step)) == "passed"

        again = await bench.open(2)
        for used in (step, step - 1):
            assert await bench.verify(again, totp.code_at(secret, used)) == "wrong_code"
        assert await bench.verify(again, totp.code_at(secret, step + 1)) == "passed"
        with pytest.raises(Problem, match="nothing_to_send"):
            await bench.challenges.resend(await bench.open(3), "shop")

    run(tmp_path, scenario)


def test_guessing_at_an_app_is_limited_over_all_challenges(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        secret = await bench.enrol()
        code = bench.shown(secret)
        right = {totp.code_at(secret, step) for step in totp.steps_at(bench.moment)}
        wrong = next(f"{n:06d}" for n in range(10) if f"{n:06d}" not in right)
        ends: Counter[str] = Counter()
        for n in range(5):
            challenge = await bench.open(n)
            ends.update(await asyncio.gather(*(bench.verify(challenge, wrong) for _ in range(4))))
        assert ends == {"wrong_code": MISSES, "throttled": 20 - MISSES}
        assert await bench.verify("chl_4", code) == "throttled"
        assert (await bench.challenges.find("chl_4", "shop")).tries == 0
        bench.pass_time(3_600)
        challenge = await bench.open(9)
        assert await bench.verify(challenge, bench.shown(secret)) == "passed"

    run(tmp_path, scenario)


def test_an_app_is_enrolled_once_and_can_be_removed(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        secret = await bench.enrol()
        with pytest.raises(Problem, match="enrolled"):
            await bench.apps.enrol("shop", "a-1")
        challenge = await bench.open(1)
        await bench.apps.remove("shop", "a-1")
        with pytest.raises(Problem, match="not_enrolled"):
            await bench.apps.remove("shop", "a-1")
        assert await bench.verify(challenge, bench.shown(secret)) == "wrong_code"
        assert await bench.enrol() != secret
        kinds = {"totp.enrolled": 2, "totp.confirmed": 2, "totp.removed": 1}
        assert {kind: len(bench.events(kind)) for kind in kinds} == kinds

    run(tmp_path, scenario)


def test_an_app_counts_once_a_first_code_was_right(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Problem, match="not_enrolled"):
            await bench.apps.confirm("shop", "a-1", "000000")
        lost = secret_of(await bench.apps.enrol("shop", "a-1"))
        challenge = await bench.open(1)
        assert (await bench.challenges.find(challenge, "shop")).method is Method.CODE
        assert await bench.verify(challenge, bench.shown(lost)) == "wrong_code"

        secret = secret_of(await bench.apps.enrol("shop", "a-1"))
        for wrong in (bench.shown(lost), bench.shown(secret, 2 * totp.STEP_S)):
            with pytest.raises(Problem, match="wrong_code") as raised:
                await bench.apps.confirm("shop", "a-1", wrong)
            assert raised.value.status == 422
        with pytest.raises(Problem, match="not_enrolled"):
            await bench.apps.confirm("other", "a-1", bench.shown(secret))
        await bench.apps.confirm("shop", "a-1", bench.shown(secret))
        with pytest.raises(Problem, match="enrolled") as raised:
            await bench.apps.confirm("shop", "a-1", bench.shown(secret, totp.STEP_S))
        assert raised.value.status == 409

        assert await bench.verify(challenge, bench.sender.code) == "passed", "it was begun with a code"
        challenge = await bench.open(2)
        assert await bench.verify(challenge, bench.shown(secret)) == "wrong_code", "the first code was used"
        assert await bench.verify(challenge, bench.shown(secret, totp.STEP_S)) == "passed"
        assert len(bench.events("totp.confirmed")) == 1

    run(tmp_path, scenario)


def test_guessing_a_first_code_is_limited(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        secret = secret_of(await bench.apps.enrol("shop", "a-1"))
        ends: Counter[str] = Counter()
        for _ in range(MISSES + 2):
            with pytest.raises(Problem) as raised:
                await bench.apps.confirm("shop", "a-1", bench.shown(secret, 5 * totp.STEP_S))
            ends[raised.value.code] += 1
        assert ends == {"wrong_code": MISSES, "throttled": 2}
        with pytest.raises(Problem, match="throttled"):
            await bench.apps.confirm("shop", "a-1", bench.shown(secret))

    run(tmp_path, scenario)


def test_an_app_that_was_changed_for_another_does_not_answer_by_the_old_secret(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        old = await bench.enrol()
        challenge = await bench.open()
        await bench.apps.remove("shop", "a-1")
        unconfirmed = secret_of(await bench.apps.enrol("shop", "a-1"))
        for secret in (old, unconfirmed):
            assert await bench.verify(challenge, bench.shown(secret)) == "wrong_code"

    run(tmp_path, scenario)


def test_a_contact_that_was_removed_gets_no_code(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.sender.needs_contact = True
        await bench.contacts.put("shop", "a-1", Contact(email="someone@example.org"))
        with pytest.raises(Problem, match="no_contact"):
            await bench.contacts.remove("other", "a-1")
        await bench.contacts.remove("shop", "a-1")
        with pytest.raises(Problem, match="no_contact"):
            await bench.contacts.remove("shop", "a-1")
        challenge = await bench.open()
        assert (await bench.challenges.find(challenge, "shop")).delivery is Delivery.UNDELIVERABLE
        assert len(bench.events("contact.removed")) == 1

    run(tmp_path, scenario)


def test_who_is_to_wait_is_told_how_long(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        challenge = await bench.open()
        for wait_s, told in ((0.0, "1"), (4.2, "5")):
            bench.sender.refuse, bench.sender.wait_s = 1, wait_s
            with pytest.raises(Problem, match="undelivered") as raised:
                await bench.challenges.resend(challenge, "shop")
            assert (raised.value.status, raised.value.headers["Retry-After"]) == (503, told)

    run(tmp_path, scenario)


def test_a_sweep_begins_nothing_without_time(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.open()
        bench.pass_time(LIMITS.ttl_s)
        assert await bench.challenges.sweep(lambda: False) == 0
        assert bench.decisions() == []
        assert await bench.challenges.sweep() == 1

    run(tmp_path, scenario)


def test_nothing_that_is_kept_or_told_holds_a_code_or_a_contact(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every code has six digits, which may be part of a number by chance: so many challenges that none is."""
    caplog.set_level("DEBUG")
    codes: list[str] = []

    async def scenario(bench: Bench) -> None:
        await bench.contacts.put("shop", "a-1", Contact("someone@example.org", "+4915112345678"))
        challenge = await bench.open()
        await bench.challenges.resend(challenge, "shop")
        bench.sender.refuse = 1
        with pytest.raises(Problem):
            await bench.challenges.resend(challenge, "shop")
        codes.extend(message.code for message in bench.sender.messages)
        await bench.verify(challenge, other(codes[0]))
        codes.append(other(codes[0]))

    run(tmp_path, scenario)
    texts = [caplog.text, *_kept(tmp_path / "assay.db")]
    for secret in (*codes, "someone", "example.org", "15112345678"):
        assert not [text for text in texts if _has(text, secret)]


def _has(text: str, secret: str) -> bool:
    """On its own: six digits may be within a longer number."""
    start = text.find(secret)
    while start >= 0:
        around = text[max(0, start - 1) : start] + text[start + len(secret) : start + len(secret) + 1]
        if not secret.isdigit() or not any(character.isalnum() for character in around):
            return True
        start = text.find(secret, start + 1)
    return False


def _kept(file: Path) -> list[str]:
    """Every value of every table, bytes as text."""
    connection = sqlite3.connect(file)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    values = [value for table in tables for row in connection.execute(f"SELECT * FROM {table}") for value in row]  # noqa: S608
    connection.close()
    return [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]
