"""One suite for both: challenges, contacts and authenticator apps, over SQLite and over DynamoDB."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from assay.adapters.aws.challenge_items import KEPT, SENDS_KEPT
from assay.challenges.ports import Contact
from assay.challenges.records import (
    Challenge,
    ChallengeStatus,
    Delivery,
    Enrolment,
    Method,
    Sends,
    begun,
    expired,
    handed_over,
    issued,
    tried,
)
from assay.errors import StorageError
from assay.problems import Problem
from assay.schemas.event import Event
from functions.challenges.sending import CLAIM_S
from tests.contract.faults import Faults
from tests.contract.installations import (
    SECOND,
    START,
    AwsInstallation,
    Installation,
    SqliteInstallation,
    Stepping,
    run,
)
from tests.harness.challenges import LIMITS, Bench, other

MINUTE = 60 * SECOND
CLAIM = START + 15 * SECOND
PARALLEL = 20


def challenge(n: int = 1, *, ends_at: int = START + 5 * MINUTE, account: str = "a-1") -> Challenge:
    """Not kept yet."""
    binding = '["a-1", "25.5", "EUR", "müller"]'
    return Challenge(f"chl_{n}", "shop", f"t-{n}", account, binding, Method.CODE, START, ends_at)


def sent(n: int = 1, **fields: Any) -> Challenge:
    """With a code, of version 1: to be sent still."""
    return issued(challenge(n, **fields), secrets.token_bytes(16), secrets.token_bytes(32), CLAIM)


def app(name: str = "tot_1", **fields: Any) -> Enrolment:
    return Enrolment(name, "shop", "a-1", bytes(range(48)), **fields)


def changed(record: Any, **fields: Any) -> Any:
    return replace(record, version=record.version + 1, **fields)


def event(kind: str = "challenge.sent") -> Event:
    return Event.now(kind, "shop", note=secrets.token_hex(4))


def bodies(*events: Event) -> list[bytes]:
    return sorted(event.to_json() for event in events)


async def announced(installation: Installation) -> list[bytes]:
    return sorted(await installation.announced())


async def all_at_once(work: Callable[[int], Awaitable[Any]], times: int = PARALLEL) -> list[Any]:
    return await asyncio.gather(*map(work, range(times)))


# Challenges


def test_a_challenge_is_found_as_it_was_kept_whoever_kept_it(installation: Installation) -> None:
    async def scenario() -> None:
        first = sent()
        second = handed_over(first, Delivery.SENT, START + 1)
        third = tried(second, right=False, most=5)
        last = tried(third, right=True, most=5)
        async with installation.stepping() as stores:
            assert await stores.challenges.get(first.id) is None
            assert await stores.challenges.save(first)
        for version in (first, second, third, last):
            async with installation.stepping() as stores:
                assert version is first or await stores.challenges.save(version)
                found = await stores.challenges.get(first.id)
                assert found == version
                assert found is not None
                assert (type(found.method), type(found.status), type(found.delivery), type(found.salt)) == (
                    Method,
                    ChallengeStatus,
                    Delivery,
                    bytes,
                )
        assert (last.digest, last.sent_at) == (None, START + 1)
        async with installation.stepping() as stores:
            plain = begun(replace(challenge(2), method=Method.TOTP))
            assert await stores.challenges.save(plain)
            assert await stores.challenges.get(plain.id) == plain

    run(scenario)


def test_a_record_is_replaced_by_its_next_version_only(installation: Installation) -> None:
    async def scenario() -> None:
        first = sent()
        second = handed_over(first, Delivery.SENT, START + 1)
        told = event()
        async with installation.stepping() as stores:
            save = stores.challenges.save
            assert await save(second, events=[event()]) is False, "there is none"
            assert await save(first, events=[told])
            assert await save(first, events=[event()]) is False, "there is one"
            assert await save(changed(second), events=[event()]) is False, "one was left out"
            assert await save(second)
            assert await save(handed_over(first, Delivery.UNDELIVERED, START), events=[event()]) is False, "too late"
            assert await stores.challenges.get(first.id) == second
        assert await announced(installation) == bodies(told)

    run(scenario)


STALE: dict[str, dict[str, Any]] = {
    "sends that were": {"sends": Sends("shop", "a-1", (START,), 1)},
    "sends of the future": {"sends": Sends("shop", "a-1", (START,), 3)},
    "sends there never were": {"sends": Sends("shop", "a-2", (START,), 2)},
    "an app that was": {"enrolment": app(version=2)},
    "another app": {"enrolment": app("tot_2", version=3)},
    "an app there never was": {"enrolment": replace(app("tot_9", version=2), account_id="a-2")},
}


@pytest.mark.parametrize("stale", STALE.values(), ids=STALE)
def test_all_of_it_is_kept_or_nothing(installation: Installation, stale: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with installation.stepping() as stores:
            kept = Sends("shop", "a-1", (START, START + 1), 1)
            used = changed(app(), last_step=7, misses=(START,), is_confirmed=True)
            await stores.factors.enrol(app(), event())
            assert await stores.challenges.save(sent(1), sends=kept, enrolment=used)
            assert await stores.challenges.sends("shop", "a-1") == kept
            assert await stores.factors.enrolment("shop", "a-1") == used
            before = len(await announced(installation))
            assert await stores.challenges.save(sent(2), events=[event(), event()], **stale) is False
            assert await stores.challenges.get("chl_2") is None
            assert await stores.challenges.sends("shop", "a-1") == kept
            assert await stores.challenges.sends("shop", "a-2") == Sends("shop", "a-2")
            assert await stores.factors.enrolment("shop", "a-1") == used
            told = [event(), event()]
            assert await stores.challenges.save(
                sent(2), sends=changed(kept, times=(START + 2,)), enrolment=changed(used, last_step=8), events=told
            )
            found = await announced(installation)
            assert len(found) - (before if isinstance(installation, SqliteInstallation) else 0) == 2
            assert set(bodies(*told)) <= set(found)

    run(scenario)


def test_of_many_changes_at_once_one_is_kept(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.stepping() as stores:
            first = sent()
            assert await stores.challenges.save(first)
            events = [event() for _ in range(PARALLEL)]
            after = tried(first, right=True, most=5)
            kept = await all_at_once(lambda n: stores.challenges.save(after, events=[events[n]]))
        assert kept.count(True) == 1
        assert await announced(installation) == bodies(events[kept.index(True)])

    run(scenario)


def test_what_is_overdue_is_found_oldest_first(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.stepping() as stores:
            save, overdue = stores.challenges.save, stores.challenges.overdue
            for n, ends_at in ((1, 30), (2, 10), (3, 20), (4, 40), (5, 50), (6, 5)):
                assert await save(sent(n, ends_at=START + ends_at * SECOND))
            over = tried(sent(6, ends_at=START + 5 * SECOND), right=True, most=5)
            assert await save(replace(over, version=2))
            now = START + 40 * SECOND
            assert [found.id for found in await overdue(now, 10)] == ["chl_2", "chl_3", "chl_1", "chl_4"]
            assert [found.id for found in await overdue(now - 1, 10)] == ["chl_2", "chl_3", "chl_1"]
            assert [found.id for found in await overdue(now, 2)] == ["chl_2", "chl_3"]
            for found in await overdue(now, 10):
                assert await save(expired(found))
            assert await overdue(now, 10) == []
            assert await overdue(START + MINUTE, 1) == [sent_of(await stores.challenges.get("chl_5"))]

    run(scenario)


def sent_of(found: Challenge | None) -> Challenge:
    assert found is not None
    assert found.status is ChallengeStatus.PENDING
    return found


def test_what_nobody_sends_any_more_is_found(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.stepping() as stores:
            save, stalled = stores.challenges.save, stores.challenges.stalled
            done, ended, again, left = (sent(n) for n in range(4))
            for each in (done, ended, again, left):
                assert await save(each)
            assert await save(begun(challenge(9)))
            assert await stalled(CLAIM - 1, 10) == []
            assert {found.id for found in await stalled(CLAIM, 10)} == {f"chl_{n}" for n in range(4)}
            assert len(await stalled(CLAIM, 2)) == 2
            assert await save(handed_over(done, Delivery.SENT, START))
            assert await save(expired(ended))
            anew = issued(again, b"salt", b"digest", CLAIM + MINUTE)
            assert await save(anew)
            assert await stalled(CLAIM, 10) == [left]
            assert {found.id for found in await stalled(CLAIM + MINUTE, 10)} == {left.id, again.id}
            assert await save(expired(left))
            assert await stalled(CLAIM + MINUTE, 10) == [anew]

    run(scenario)


# Contacts and apps


def test_a_contact_belongs_to_an_account_of_one_client(installation: Installation) -> None:
    async def scenario() -> None:
        events = [event("contact.changed") for _ in range(4)] + [event("contact.removed")]
        async with installation.stepping() as stores:
            factors = stores.factors
            assert await factors.contact("shop", "a-1") is None
            assert await factors.remove_contact("shop", "a-1", event()) is False
            for sealed, told in zip((b"one", b"two\0\xff"), events, strict=False):
                await factors.put_contact("shop", "a-1", sealed, told)
            await factors.put_contact("shop", "a-2", b"three", events[2])
            await factors.put_contact("other", "a-1", b"four", events[3])
            kept = [await factors.contact(*who) for who in (("shop", "a-1"), ("shop", "a-2"), ("other", "a-1"))]
            assert kept == [b"two\0\xff", b"three", b"four"]
            assert await factors.remove_contact("shop", "a-1", events[4])
            kept = [await factors.contact(*who) for who in (("shop", "a-1"), ("shop", "a-2"), ("other", "a-1"))]
            assert kept == [None, b"three", b"four"]
        assert await announced(installation) == bodies(*events)

    run(scenario)


def test_an_app_takes_the_place_of_one_that_was_never_confirmed(installation: Installation) -> None:
    async def scenario() -> None:
        events = [event("totp.enrolled") for _ in range(4)]
        async with installation.stepping() as stores:
            factors = stores.factors
            assert await factors.enrolment("shop", "a-1") is None
            assert await factors.enrol(app(), events[0])
            missed = changed(app(), misses=(START, START + 1))
            assert await factors.change_enrolment(missed, [])
            second = app("tot_2")
            assert await factors.enrol(second, events[1])
            assert await factors.change_enrolment(changed(missed, is_confirmed=True), [event()]) is False, "replaced"
            assert await factors.enrolment("shop", "a-1") == second
            confirmed = changed(second, last_step=5, is_confirmed=True)
            assert await factors.change_enrolment(confirmed, [events[2]])
            assert await factors.change_enrolment(confirmed, [event()]) is False
            assert await factors.enrol(app("tot_3"), event()) is False
            assert await factors.enrolment("shop", "a-1") == confirmed
            assert await factors.enrolment("other", "a-1") is None
            assert await factors.remove_enrolment("other", "a-1", event()) is False
            assert await factors.remove_enrolment("shop", "a-1", events[3])
            assert await factors.remove_enrolment("shop", "a-1", event()) is False
            assert await factors.change_enrolment(changed(confirmed), [event()]) is False
            assert await factors.enrolment("shop", "a-1") is None
        assert await announced(installation) == bodies(*events)

    run(scenario)


# The function over each


def stepping(installation: Installation, scenario: Callable[[Bench], Awaitable[None]], moment: int = START) -> None:
    """The scenario in a process of its own."""

    async def main() -> None:
        async with installation.stepping() as stores:
            bench = Bench(stores.challenges, stores.factors, moment=moment)
            await scenario(bench)
            bench.announced = list(await installation.announced()).copy
            ended = bench.decisions()
            assert len(ended) == len({challenge for challenge, _, _ in ended})

    run(main)


def test_twenty_right_codes_at_once_pass_once(installation: Installation) -> None:
    async def scenario(bench: Bench) -> None:
        asked, code = await bench.open(), bench.sender.code
        ends = Counter(await all_at_once(lambda _: bench.verify(asked, code)))
        assert ends == {"passed": 1, "already_used": PARALLEL - 1}

    stepping(installation, scenario)


def test_guessing_at_once_gets_five_answers(installation: Installation) -> None:
    async def scenario(bench: Bench) -> None:
        asked, code = await bench.open(), int(bench.sender.code)
        guesses = [f"{(code + 1 + n) % 1_000_000:06d}" for n in range(PARALLEL)]
        ends = Counter(await all_at_once(lambda n: bench.verify(asked, guesses[n])))
        assert ends == {"wrong_code": LIMITS.tries - 1, "failed": PARALLEL - LIMITS.tries + 1}
        assert (await bench.challenges.find(asked, "shop")).tries == LIMITS.tries

    stepping(installation, scenario)


def test_many_resends_at_once_send_two_more(installation: Installation) -> None:
    async def scenario(bench: Bench) -> None:
        asked = await bench.open()

        async def resend(_: int) -> str:
            try:
                await bench.challenges.resend(asked, "shop")
            except Problem as problem:
                return problem.code
            return "sent"

        ends = Counter(await all_at_once(resend, 12))
        assert ends == {"sent": LIMITS.sends - 1, "too_many_sends": 12 - LIMITS.sends + 1}
        assert len(bench.sender.messages) == LIMITS.sends
        passed = [await bench.verify(asked, message.code) for message in bench.sender.messages]
        assert passed.count("passed") == 1

    stepping(installation, scenario)


def test_a_step_of_an_app_is_taken_once_by_whichever_challenge(installation: Installation) -> None:
    async def scenario(bench: Bench) -> None:
        secret = await bench.enrol()
        asked = [await bench.open(n) for n in range(8)]
        ends = Counter(await all_at_once(lambda n: bench.verify(asked[n], bench.shown(secret)), 8))
        assert ends == {"passed": 1, "wrong_code": 7}

    stepping(installation, scenario)


def test_many_challenges_expire_once_whoever_sweeps(installation: Installation) -> None:
    async def scenario(bench: Bench) -> None:
        await all_at_once(lambda n: bench.open(n, account=f"a-{n}"), 8)
        bench.pass_time(LIMITS.ttl_s)
        await all_at_once(lambda _: bench.challenges.sweep(), 3)
        assert await bench.challenges.sweep() == 0
        found = [await bench.challenges.find(f"chl_{n}", "shop") for n in range(8)]
        assert {each.status for each in found} == {ChallengeStatus.EXPIRED}

    stepping(installation, scenario)


def test_what_a_process_left_is_sent_after_its_claim(installation: Installation) -> None:
    class Stopped(BaseException):
        pass

    async def stop() -> None:
        raise Stopped

    async def dies(bench: Bench) -> None:
        bench.sender.before = stop
        with pytest.raises(Stopped):
            await bench.open()

    async def goes_on(bench: Bench) -> None:
        assert await bench.challenges.sweep() == 0
        bench.pass_time(CLAIM_S)
        await all_at_once(lambda _: bench.challenges.sweep(), 3)
        assert len(bench.sender.messages) == 1
        assert await bench.challenges.sweep() == 0
        assert await bench.verify("chl_1", other(bench.sender.code)) == "wrong_code"
        assert await bench.verify("chl_1", bench.sender.code) == "passed"

    stepping(installation, dies)
    stepping(installation, goes_on)


# Faults

READS: dict[str, Callable[[Stepping], Awaitable[Any]]] = {
    "get": lambda stores: stores.challenges.get("chl_1"),
    "sends": lambda stores: stores.challenges.sends("shop", "a-1"),
    "overdue": lambda stores: stores.challenges.overdue(START + 10 * MINUTE, 10),
    "stalled": lambda stores: stores.challenges.stalled(START + 10 * MINUTE, 10),
    "contact": lambda stores: stores.factors.contact("shop", "a-1"),
    "enrolment": lambda stores: stores.factors.enrolment("shop", "a-1"),
}
CHANGES: dict[str, Callable[[Stepping], Awaitable[Any]]] = {
    "begin": lambda stores: stores.challenges.save(sent(2), sends=Sends("shop", "a-2", (START,), 1), events=[event()]),
    "end": lambda stores: stores.challenges.save(tried(FILLED, right=True, most=5), events=[event()]),
    "put_contact": lambda stores: stores.factors.put_contact("shop", "a-1", b"new", event()),
    "remove_contact": lambda stores: stores.factors.remove_contact("shop", "a-1", event()),
    "enrol": lambda stores: stores.factors.enrol(app("tot_2"), event()),
    "confirm": lambda stores: stores.factors.change_enrolment(changed(app(), is_confirmed=True), [event()]),
    "remove_enrolment": lambda stores: stores.factors.remove_enrolment("shop", "a-1", event()),
}
EVERY_CALL = pytest.mark.parametrize("call", (READS | CHANGES).values(), ids=READS | CHANGES)
FILLED = sent()


async def filled(stores: Stepping) -> None:
    """A challenge that is being sent, a contact, and an app."""
    await stores.challenges.save(FILLED)
    await stores.factors.put_contact("shop", "a-1", b"old", event())
    await stores.factors.enrol(app(), event())


@EVERY_CALL
def test_every_call_says_so_when_the_file_is_closed(sqlite: SqliteInstallation, call: Any) -> None:
    async def scenario() -> None:
        async with sqlite.stepping() as stores:
            await filled(stores)
        with pytest.raises(StorageError):
            await call(stores)

    run(scenario)


@EVERY_CALL
def test_every_call_says_so_when_dynamodb_fails(aws: AwsInstallation, faults: Faults, call: Any) -> None:
    async def scenario() -> None:
        async with aws.stepping() as stores:
            await filled(stores)
            before = aws.items("Challenges")
            for operation in ("Query", "GetItem", "TransactWriteItems"):
                faults.add(operation, "unavailable")
            with pytest.raises(StorageError):
                await call(stores)
            faults.clear()
            assert aws.items("Challenges") == before
            await call(stores)
        assert aws.items("Outbox") == []

    run(scenario)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_whose_answer_was_lost_is_found_to_have_landed(
    aws: AwsInstallation, faults: Faults, change: Any
) -> None:
    """Sent twice by the SDK, the second time refused by our own first."""

    async def scenario() -> None:
        async with aws.stepping() as stores:
            await filled(stores)
            before = len(await aws.announced())
            faults.calls.clear()
            faults.add("TransactWriteItems", "lost", 1)
            assert await change(stores) in {True, None}
            assert faults.calls.count("TransactWriteItems") == 2
            assert before == 2
            assert len(await aws.announced()) == 1

    run(scenario)


def test_a_try_whose_answer_was_lost_is_counted_and_not_answered(aws: AwsInstallation, faults: Faults) -> None:
    """It has no event to be found by: it may be counted twice, but no more tries are answered than are allowed."""

    async def scenario(bench: Bench) -> None:
        asked, wrong = await bench.open(), other(bench.sender.code)
        faults.add("TransactWriteItems", "lost", 1)
        assert await bench.verify(asked, wrong) == "wrong_code"
        assert (await bench.challenges.find(asked, "shop")).tries == 2
        faults.add("TransactWriteItems", "lost", 2)
        with pytest.raises(StorageError):
            await bench.verify(asked, wrong)
        faults.clear()
        assert (await bench.challenges.find(asked, "shop")).tries == 3
        assert await bench.verify(asked, bench.sender.code) == "passed"

    stepping(aws, scenario)


def test_a_conflict_is_waited_for_but_not_for_ever(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario(bench: Bench) -> None:
        faults.add("TransactWriteItems", "conflict", 2)
        asked = await bench.open()
        faults.add("TransactWriteItems", "conflict")
        with pytest.raises(StorageError, match="TransactionConflict"):
            await bench.verify(asked, bench.sender.code)
        faults.clear()
        assert await bench.verify(asked, bench.sender.code) == "passed"

    stepping(aws, scenario)


# The table


def test_what_is_over_is_left_to_dynamodb_to_delete_and_nothing_points_at_it(aws: AwsInstallation) -> None:
    """`expires_at` is the table's, in seconds: nothing that is pending has it."""

    async def scenario(bench: Bench) -> None:
        for n in range(3):
            await bench.open(n)
        await bench.contacts.put("shop", "a-1", Contact(email="someone@example.org"))
        await bench.enrol()
        await bench.verify("chl_0", other(bench.sender.messages[0].code))
        assert _lives(aws) == {"C": [None] * 3, "ENDS": [None] * 3, "F": [None, None, SENDS_KEPT]}
        bench.pass_time(LIMITS.ttl_s)
        await bench.challenges.sweep()
        end = KEPT + LIMITS.ttl_s * SECOND
        assert _lives(aws) == {"C": [end] * 3, "F": [None, None, SENDS_KEPT]}

    stepping(aws, scenario)


def _lives(aws: AwsInstallation) -> dict[str, list[int | None]]:
    """How long after START each item is kept, by what it is; None: for ever."""
    found: dict[str, list[int | None]] = {}
    for item in aws.items("Challenges"):
        until = int(item["expires_at"]["N"]) * SECOND - START - SECOND if "expires_at" in item else None
        found.setdefault(item["pk"]["S"].partition("#")[0], []).append(until)
    return {kind: sorted(lives, key=lambda life: life or 0) for kind, lives in found.items()}


def test_sends_that_dynamodb_has_deleted_begin_anew(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.stepping() as stores:
            assert await stores.challenges.save(sent(), sends=Sends("shop", "a-1", (START,), 1))
            (item,) = (item for item in aws.items("Challenges") if item["sk"]["S"] == "SENDS")
            aws.api["dynamodb"].delete_item(
                TableName=aws.tables["Challenges"], Key={name: item[name] for name in ("pk", "sk")}
            )
            assert await stores.challenges.save(sent(2), sends=Sends("shop", "a-1", (START,), 2)) is False
            assert await stores.challenges.sends("shop", "a-1") == Sends("shop", "a-1")
            assert await stores.challenges.save(sent(2), sends=Sends("shop", "a-1", (START,), 1))

    run(scenario)


def test_no_code_and_no_contact_is_in_the_table(aws: AwsInstallation) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.contacts.put("shop", "a-1", Contact("someone@example.org", "+4915112345678"))
        secret = await bench.enrol()
        await bench.apps.remove("shop", "a-1")
        await bench.open()
        kept = "".join(map(repr, aws.items("Challenges")))
        assert f"'{bench.sender.code}'" not in kept
        assert not [word for word in ("someone", "example.org", "15112345678", repr(secret)) if word in kept]

    stepping(aws, scenario)
