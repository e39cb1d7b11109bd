"""One suite for both: users, sessions, service clients and attempts, over SQLite and over DynamoDB."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from assay.errors import StorageError
from assay.identity.ports import LastAdmin
from assay.identity.records import ServiceClient, Session, Status, User
from assay.identity.scopes import Role
from assay.schemas.event import Event
from tests.contract.faults import Faults, Kind
from tests.contract.installations import SECOND, START, AwsInstallation, Identity, Installation, SqliteInstallation, run

HOUR = 3_600 * SECOND
PARALLEL = 20


def user(name: str = "ada", role: Role = Role.VIEWER, status: Status = Status.ACTIVE) -> User:
    return User(f"usr_{name}", f"{name}@example.org", name.title(), f"$argon2id${name}", role, status, START)


def admin(name: str) -> User:
    return user(name, Role.ADMIN)


def session(name: str = "s1", owner: str = "ada", ends_at: int = START + HOUR) -> Session:
    return Session(f"ses_{name}", f"usr_{owner}", name.encode().ljust(32, b"\0"), START, ends_at)


def client(name: str = "shop", scopes: tuple[str, ...] = ("score:write", "decisions:read")) -> ServiceClient:
    return ServiceClient(name, bytes(range(32)), scopes, Status.ACTIVE, f"ses_{name}", START)


def event(kind: str = "user.changed") -> Event:
    return Event.now(kind, "usr_actor", note=secrets.token_hex(4))


def changed(record: Any, **fields: Any) -> Any:
    return replace(record, version=record.version + 1, **fields)


async def announced(installation: Installation) -> list[bytes]:
    return sorted(await installation.announced())


def bodies(*events: Event) -> list[bytes]:
    return sorted(event.to_json() for event in events)


async def all_at_once(work: Callable[[int], Awaitable[Any]], times: int = PARALLEL) -> list[Any]:
    return await asyncio.gather(*map(work, range(times)))


async def later(installation: Installation, seconds: float) -> None:
    installation.clock.now += int(seconds * SECOND)


# Users


def test_a_user_is_found_by_id_and_by_address_whoever_added_it(installation: Installation) -> None:
    async def scenario() -> None:
        ada = replace(user(), name="Ada Lovelace-Ünal ☕", email="ada+ü@example.org")
        async with installation.identity() as stores:
            assert await stores.users.get(ada.id) is None
            assert await stores.users.by_email(ada.email) is None
            assert await stores.users.add(ada, event())
        async with installation.identity() as stores:
            found = await stores.users.get(ada.id)
            assert found == await stores.users.by_email(ada.email) == ada
            assert found is not None
            assert (type(found.role), type(found.status)) == (Role, Status)
            assert await stores.users.by_email("ADA+ü@example.org") is None, "addresses are compared as they are given"

    run(scenario)


def test_an_address_belongs_to_one_user(installation: Installation) -> None:
    async def scenario() -> None:
        events = [event("user.registered") for _ in range(PARALLEL)]
        async with installation.identity() as stores:
            people = [replace(user(f"u{n:02}"), email="same@example.org") for n in range(PARALLEL)]
            added = await all_at_once(lambda n: stores.users.add(people[n], events[n]))
            assert added.count(True) == 1
            winner = added.index(True)
            assert await stores.users.by_email("same@example.org") == people[winner]
            assert await stores.users.page("", 100) == [people[winner]]
            assert await stores.users.add(replace(user("late"), email="same@example.org"), event()) is False
        assert await announced(installation) == bodies(events[winner])

    run(scenario)


def test_of_changes_of_one_version_one_is_kept(installation: Installation) -> None:
    async def scenario() -> None:
        added, events = event("user.registered"), [event() for _ in range(PARALLEL)]
        async with installation.identity() as stores:
            await stores.users.add(user(), added)
            versions = [changed(user(), name=f"name {n}") for n in range(PARALLEL)]
            kept = await all_at_once(lambda n: stores.users.change(versions[n], events[n]))
            assert kept.count(True) == 1
            winner = kept.index(True)
            assert await stores.users.get("usr_ada") == versions[winner]
            assert await stores.users.change(versions[winner], event()) is False
            assert await stores.users.change(changed(user("nobody")), event()) is False
        assert await announced(installation) == bodies(added, events[winner])

    run(scenario)


LAST = {
    "another role": {"role": Role.LEAD},
    "disabled": {"status": Status.DISABLED},
    "both": {"role": Role.VIEWER, "status": Status.PENDING},
}


@pytest.mark.parametrize("loss", LAST.values(), ids=LAST)
def test_the_last_active_admin_stays_one(installation: Installation, loss: dict[str, Any]) -> None:
    async def scenario() -> None:
        added = [event("user.registered") for _ in range(3)]
        ended, mine = event("user.logged_in"), session("s1", "ada")
        async with installation.identity() as stores:
            pending = user("eve", Role.ADMIN, Status.PENDING)
            for person, told in zip((admin("ada"), user("bob"), pending), added, strict=True):
                await stores.users.add(person, told)
            await stores.sessions.add(mine, 1, ended)
            with pytest.raises(LastAdmin):
                await stores.users.change(changed(admin("ada"), **loss), event(), [mine.id])
            assert await stores.users.get("usr_ada") == admin("ada")
            assert await stores.sessions.get(mine.id) == mine
            assert await stores.revocations.is_revoked(mine.id) is False

            renamed = changed(admin("ada"), name="Ada King")
            told = [event() for _ in range(4)]
            assert await stores.users.change(renamed, told[0]), "everything else of the last admin may change"
            assert await stores.users.change(changed(pending, status=Status.ACTIVE), told[1])
            assert await stores.users.change(changed(renamed, **loss), told[2])
            with pytest.raises(LastAdmin):
                await stores.users.change(changed(changed(pending, status=Status.ACTIVE), **loss), event())
            assert await stores.users.change(changed(user("bob"), role=Role.LEAD), told[3])
        assert await announced(installation) == bodies(*added, ended, *told)

    run(scenario)


def test_of_admins_who_all_let_go_at_once_one_stays(installation: Installation) -> None:
    names = ("ada", "bob", "eve")

    async def scenario() -> None:
        added, demoted = ([event() for _ in names] for _ in range(2))
        async with installation.identity() as stores:
            for name, told in zip(names, added, strict=True):
                await stores.users.add(admin(name), told)

            async def demote(n: int) -> bool | None:
                try:
                    return await stores.users.change(changed(admin(names[n]), role=Role.LEAD), demoted[n])
                except LastAdmin:
                    return None

            outcomes = await all_at_once(demote, len(names))
            assert sorted(outcomes, key=str) == [None, True, True]
            roles = [found.role for found in await stores.users.page("", 10)]
            assert sorted(roles) == [Role.ADMIN, Role.LEAD, Role.LEAD]
        kept = [told for told, outcome in zip(demoted, outcomes, strict=True) if outcome]
        assert await announced(installation) == bodies(*added, *kept)

    run(scenario)


def test_users_are_listed_by_id(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.identity() as stores:
            assert await stores.users.page("", 3) == []
            people = [user(f"u{n}") for n in range(7)]
            for person in reversed(people):
                await stores.users.add(person, event())
            assert await stores.users.page("", 3) == people[:3]
            assert await stores.users.page("usr_u2", 3) == people[3:6]
            assert await stores.users.page("usr_u5", 3) == people[6:]
            assert await stores.users.page("usr_u6", 3) == []
            assert await stores.users.page("usr_u20", 1) == people[3:4], "nobody need have the id that it goes on from"
            assert await stores.users.page("", 7) == await stores.users.page("", 100) == people

    run(scenario)


# Sessions


def test_a_session_is_kept_until_it_expires(installation: Installation) -> None:
    async def scenario() -> None:
        added, began = event("user.registered"), [event("user.logged_in") for _ in range(2)]
        short, long = session("short", ends_at=START + HOUR), session("long", ends_at=START + 2 * HOUR)
        async with installation.identity() as stores:
            await stores.users.add(user(), added)
            assert await stores.sessions.get(short.id) is None
            assert await stores.sessions.of_user("usr_ada") == []
            assert [await stores.sessions.add(each, 1, told) for each, told in zip((short, long), began, strict=True)]
        async with installation.identity() as stores:
            assert await stores.sessions.get(short.id) == short
            assert {each.id for each in await stores.sessions.of_user("usr_ada")} == {short.id, long.id}
            assert await stores.sessions.of_user("usr_bob") == []
            await later(installation, 3_600)
            assert await stores.sessions.get(short.id) is None
            assert await stores.sessions.of_user("usr_ada") == [long]
            assert await stores.revocations.is_revoked(short.id) is False, "its tokens have expired before it"
        assert await announced(installation) == bodies(added, *began)

    run(scenario)


def test_a_session_begins_only_while_its_user_is_as_it_was(installation: Installation) -> None:
    async def scenario() -> None:
        told = [event("user.registered"), event("user.disabled")]
        async with installation.identity() as stores:
            await stores.users.add(user(), told[0])
            await stores.users.change(changed(user(), status=Status.DISABLED), told[1])
            assert await stores.sessions.add(session(), 1, event()) is False
            assert await stores.sessions.add(session("s2", "nobody"), 1, event()) is False
            assert await stores.sessions.get("ses_s1") is None
            assert await stores.sessions.of_user("usr_ada") == []
        assert await announced(installation) == bodies(*told)

    run(scenario)


def test_of_many_who_rotate_one_wins(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.identity() as stores:
            await stores.users.add(user(), event())
            await stores.sessions.add(session(), 1, event())
            hashes = [secrets.token_bytes(32) for _ in range(PARALLEL)]
            ends_at = START + 3 * HOUR + 1
            won = await all_at_once(lambda n: stores.sessions.rotate(session(), hashes[n], ends_at))
            assert won.count(True) == 1
            rotated = replace(session(), refresh_hash=hashes[won.index(True)], expires_at=ends_at)
            assert await stores.sessions.get("ses_s1") == rotated
            assert await stores.sessions.rotate(session(), b"again".ljust(32), ends_at) is False
            await later(installation, 2 * 3_600)
            assert await stores.sessions.of_user("usr_ada") == [rotated], "it lives as long as it was told to last"
            assert await stores.sessions.rotate(rotated, b"next".ljust(32), ends_at) is True
            assert await stores.sessions.rotate(session("unknown"), b"next".ljust(32), ends_at) is False
        assert len(await installation.announced()) == 2

    run(scenario)


def test_of_many_who_end_a_session_one_does(installation: Installation) -> None:
    async def scenario() -> None:
        begun, ended = [event() for _ in range(3)], [event("user.logged_out") for _ in range(PARALLEL)]
        async with installation.identity() as stores:
            await stores.users.add(user(), begun[0])
            for name, told in zip(("s1", "s2"), begun[1:], strict=True):
                await stores.sessions.add(session(name), 1, told)
            did = await all_at_once(lambda n: stores.sessions.end("ses_s1", ended[n]))
            assert did.count(True) == 1
            assert await stores.sessions.get("ses_s1") is None
            assert await stores.sessions.of_user("usr_ada") == [session("s2")]
            assert await stores.sessions.rotate(session("s1"), b"x" * 32, START + HOUR) is False
            assert await stores.sessions.end("ses_s1", event()) is False
            assert await stores.sessions.end("ses_unknown", event()) is False
        async with installation.identity() as stores:
            revoked = [await stores.revocations.is_revoked(name) for name in ("ses_s1", "ses_s2", "ses_unknown")]
            assert revoked == [True, False, False]
        assert await announced(installation) == bodies(*begun, ended[did.index(True)])

    run(scenario)


@pytest.mark.parametrize("number", [1, 3, 75])
def test_a_change_of_the_user_ends_its_sessions_with_it(installation: Installation, number: int) -> None:
    """75 are more than one transaction of DynamoDB holds."""

    async def scenario() -> None:
        told = [event(), event()]
        names = [f"s{n:02}" for n in range(number)]
        async with installation.identity() as stores:
            await stores.users.add(user(), event())
            await stores.users.add(user("bob"), event())
            for name in names:
                await stores.sessions.add(session(name), 1, event())
            await stores.sessions.add(session("other", "bob"), 1, event())
            ids = [f"ses_{name}" for name in names]
            before = set(await installation.announced())
            assert await stores.users.change(replace(user(), name="?", version=7), event(), ids[:1]) is False
            assert len(await stores.sessions.of_user("usr_ada")) == number
            assert await stores.users.change(changed(user(), password_hash="$argon2id$new"), told[0], ids) is True
            assert await stores.sessions.of_user("usr_ada") == []
            assert [await stores.sessions.get(each) for each in ids] == [None] * number
            assert await stores.users.change(changed(changed(user()), name="Ada"), told[1]) is True
        async with installation.identity() as stores:
            assert all([await stores.revocations.is_revoked(each) for each in ids])
            assert await stores.revocations.is_revoked("ses_other") is False
            assert await stores.sessions.get("ses_other") == session("other", "bob")
        since = [body for body in await announced(installation) if body not in before]
        assert since == bodies(*told)

    run(scenario)


# Service clients


def test_a_client_is_added_once_changed_by_version_and_listed_by_id(installation: Installation) -> None:
    async def scenario() -> None:
        added, told = [event("client.created") for _ in range(PARALLEL)], [event() for _ in range(PARALLEL)]
        async with installation.identity() as stores:
            assert await stores.clients.get("shop") is None
            assert await stores.clients.page("", 5) == []
            first = await all_at_once(lambda n: stores.clients.add(client(scopes=("score:write",) * (n + 1)), added[n]))
            assert first.count(True) == 1
            shop = await stores.clients.get("shop")
            assert shop == client(scopes=("score:write",) * (first.index(True) + 1))
            versions = [changed(client(), session=f"ses_{n}", status=Status.DISABLED) for n in range(PARALLEL)]
            kept = await all_at_once(lambda n: stores.clients.change(versions[n], told[n], [f"ses_old_{n}"]))
            assert kept.count(True) == 1
            winner = kept.index(True)
            assert await stores.clients.change(changed(client("nobody")), event(), ["ses_nobody"]) is False
            others = [client("bank", ()), client("zoo")]
            for each in others:
                await stores.clients.add(each, event())
        async with installation.identity() as stores:
            found = await stores.clients.page("", 5)
            assert found == [others[0], versions[winner], others[1]]
            assert type(found[1].status) is Status
            assert await stores.clients.page("bank", 1) == [versions[winner]]
            revoked = [await stores.revocations.is_revoked(f"ses_old_{n}") for n in range(PARALLEL)]
            assert revoked == kept
            assert await stores.revocations.is_revoked("ses_nobody") is False
        kinds = [json.loads(body)["event"] for body in await installation.announced()]
        assert sorted(kinds) == ["client.created"] + ["user.changed"] * 3

    run(scenario)


# Attempts


def test_attempts_are_counted_exactly(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.identity() as stores:
            counts = await all_at_once(lambda _: stores.attempts.count("key", 900))
            assert sorted(counts) == list(range(1, PARALLEL + 1))
            assert await stores.attempts.count("other", 900) == 1
            assert await stores.attempts.count("key", 3_600) == 1, "each width of window counts by itself"
            await all_at_once(lambda _: stores.attempts.take_back("key", 900), PARALLEL - 2)
            assert await stores.attempts.count("key", 900) == 3
        async with installation.identity() as stores:
            assert await stores.attempts.count("key", 900) == 4

    run(scenario)


def test_nothing_is_taken_back_that_was_not_counted(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.identity() as stores:
            await stores.attempts.take_back("never", 900)
            await stores.attempts.count("key", 900)
            await all_at_once(lambda _: stores.attempts.take_back("key", 900), 5)
            assert await stores.attempts.count("key", 900) == 1
            assert await stores.attempts.count("never", 900) == 1

    run(scenario)


def test_windows_end_at_multiples_of_their_width(installation: Installation) -> None:
    async def scenario() -> None:
        installation.clock.now = START - START % (900 * SECOND) + 1
        async with installation.identity() as stores:
            for expected in (1, 2):
                assert await stores.attempts.count("key", 900) == expected
            await later(installation, 899)
            assert await stores.attempts.count("key", 900) == 3
            await later(installation, 1)
            await stores.attempts.take_back("key", 900)
            assert await stores.attempts.count("key", 900) == 1, "what the window before counted is not taken back here"

    run(scenario)


def test_a_key_is_remembered_for_its_time(installation: Installation) -> None:
    async def scenario() -> None:
        async with installation.identity() as stores:
            assert await stores.attempts.remembers("key") is False
            await stores.attempts.remember("key", 60)
            assert await stores.attempts.remembers("key") is True
            assert await stores.attempts.remembers("other") is False
            assert await stores.attempts.count("key", 60) == 1, "to remember is not to count"
            await later(installation, 59)
            assert await stores.attempts.remembers("key") is True
            await stores.attempts.remember("key", 60)
            await later(installation, 59)
        async with installation.identity() as stores:
            assert await stores.attempts.remembers("key") is True
            await later(installation, 1)
            assert await stores.attempts.remembers("key") is False

    run(scenario)


# Faults


READS: dict[str, Callable[[Identity], Awaitable[Any]]] = {
    "users.get": lambda stores: stores.users.get("usr_ada"),
    "users.by_email": lambda stores: stores.users.by_email("ada@example.org"),
    "users.page": lambda stores: stores.users.page("", 5),
    "sessions.get": lambda stores: stores.sessions.get("ses_s1"),
    "sessions.of_user": lambda stores: stores.sessions.of_user("usr_ada"),
    "clients.get": lambda stores: stores.clients.get("shop"),
    "clients.page": lambda stores: stores.clients.page("", 5),
    "remembers": lambda stores: stores.attempts.remembers("key"),
}
CHANGES: dict[str, Callable[[Identity], Awaitable[Any]]] = {
    "users.add": lambda stores: stores.users.add(user("new"), event()),
    "users.change": lambda stores: stores.users.change(changed(user()), event(), ["ses_s1"]),
    "sessions.add": lambda stores: stores.sessions.add(session("s2"), 1, event()),
    "sessions.rotate": lambda stores: stores.sessions.rotate(session(), b"new".ljust(32), START + HOUR),
    "sessions.end": lambda stores: stores.sessions.end("ses_s1", event()),
    "clients.add": lambda stores: stores.clients.add(client("new"), event()),
    "clients.change": lambda stores: stores.clients.change(changed(client()), event(), ["ses_old"]),
}
COUNTS: dict[str, Callable[[Identity], Awaitable[Any]]] = {
    "count": lambda stores: stores.attempts.count("key", 900),
    "take_back": lambda stores: stores.attempts.take_back("key", 900),
    "remember": lambda stores: stores.attempts.remember("key", 60),
}
CALLS = READS | CHANGES | COUNTS
EVERY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
EVERY_CHANGE = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
SILENT = {"sessions.rotate"}
"""Changes without an event: nobody did anything, a token was used."""


async def filled(stores: Identity) -> None:
    """A user in a session, and a client."""
    await stores.users.add(user(), event())
    await stores.sessions.add(session(), 1, event())
    await stores.clients.add(client(), event())


@EVERY_CALL
def test_every_call_says_so_when_the_file_is_closed(sqlite: SqliteInstallation, call: Any) -> None:
    async def scenario() -> None:
        async with sqlite.identity() as stores:
            await filled(stores)
        with pytest.raises(StorageError):
            await call(stores)

    run(scenario)


@pytest.mark.parametrize("kind", ["throttled", "unavailable", "refused"])
@EVERY_CALL
def test_every_call_says_so_when_dynamodb_fails(aws: AwsInstallation, faults: Faults, call: Any, kind: Kind) -> None:
    async def scenario() -> None:
        async with aws.identity() as stores:
            await filled(stores)
            before = aws.items("Identity")
            for operation in ("Query", "GetItem", "PutItem", "UpdateItem", "TransactWriteItems"):
                faults.add(operation, kind)
            with pytest.raises(StorageError):
                await call(stores)
            faults.clear()
            assert aws.items("Identity") == before
            await call(stores)
        assert aws.items("Outbox") == []

    run(scenario)


@EVERY_CALL
def test_every_call_says_so_when_the_table_is_missing(aws: AwsInstallation, call: Any) -> None:
    async def scenario() -> None:
        aws.tables["Identity"] = "nowhere"
        async with aws.identity() as stores:
            with pytest.raises(StorageError, match="ResourceNotFound"):
                await call(stores)

    run(scenario)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_whose_answer_was_lost_is_found_to_have_landed(
    aws: AwsInstallation, faults: Faults, name: str, times: int
) -> None:
    """Sent twice by the SDK, the second time refused by our own first (1), or without an answer as well (2)."""

    async def scenario() -> None:
        async with aws.identity() as stores:
            await filled(stores)
            before = len(await aws.announced())
            faults.calls.clear()
            faults.add("TransactWriteItems", "lost", times)
            assert await CHANGES[name](stores) is True
            assert faults.calls.count("TransactWriteItems") == 2
            assert before == 3
            assert len(await aws.announced()) == (0 if name in SILENT else 1)
            assert aws.items("Outbox") == []

    run(scenario)


def test_a_lost_answer_is_not_mistaken_for_ours(aws: AwsInstallation, faults: Faults) -> None:
    """Each is refused the second time, by what somebody else has written."""

    async def scenario() -> None:
        async with aws.identity() as stores:
            await filled(stores)
            theirs = changed(user(), name="theirs"), changed(client(), session="ses_theirs")
            assert await stores.users.change(theirs[0], event())
            assert await stores.clients.change(theirs[1], event())
            assert await stores.sessions.rotate(session(), b"theirs".ljust(32), START + HOUR)
            before = len(await aws.announced())
            for refused in (
                stores.users.add(replace(user("new"), email=user().email), event()),
                stores.users.change(theirs[0], event()),
                stores.clients.add(client(), event()),
                stores.clients.change(theirs[1], event()),
                stores.sessions.rotate(session(), b"ours".ljust(32), START + HOUR),
                stores.sessions.add(session("s2"), 1, event()),
            ):
                faults.add("TransactWriteItems", "lost", 1)
                assert await refused is False
                faults.clear()
            assert before == 5
        assert await aws.announced() == []

    run(scenario)


@EVERY_CHANGE
def test_an_outcome_that_cannot_be_learnt_is_no_success(aws: AwsInstallation, faults: Faults, change: Any) -> None:
    async def scenario() -> None:
        async with aws.identity() as stores:
            await filled(stores)
            faults.add("TransactWriteItems", "unavailable")
            with pytest.raises(StorageError):
                await change(stores)
            faults.clear()
            faults.add("TransactWriteItems", "lost")
            with pytest.raises(StorageError):
                await asyncio.gather(change(stores), _no_more_reads(faults))

    run(scenario)


async def _no_more_reads(faults: Faults) -> None:
    """From the moment on at which it writes."""
    while "TransactWriteItems" not in faults.calls:
        await asyncio.sleep(0)
    faults.add("GetItem", "unavailable")


def test_a_conflict_is_waited_for_but_not_for_ever(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.identity() as stores:
            await filled(stores)
            faults.add("TransactWriteItems", "conflict", 2)
            assert await stores.users.add(user("new"), event()) is True
            faults.add("TransactWriteItems", "conflict")
            with pytest.raises(StorageError, match="TransactionConflict"):
                await stores.sessions.rotate(session(), b"new".ljust(32), START + HOUR)
            faults.clear()
            assert await stores.sessions.get("ses_s1") == session()

    run(scenario)


# The table


def test_revocations_are_read_every_two_seconds_at_most(aws: AwsInstallation, faults: Faults) -> None:
    async def scenario() -> None:
        async with aws.identity() as stores, aws.identity() as elsewhere:
            await filled(stores)
            faults.calls.clear()
            answers = await all_at_once(lambda _: elsewhere.revocations.is_revoked("ses_s1"))
            assert answers == [False] * PARALLEL
            assert await stores.sessions.end("ses_s1", event())
            await later(aws, 1.999)
            assert await elsewhere.revocations.is_revoked("ses_s1") is False
            assert faults.calls.count("Query") == 1
            await later(aws, 0.001)
            assert await elsewhere.revocations.is_revoked("ses_s1") is True
            assert faults.calls.count("Query") == 2
            faults.add("Query", "throttled")
            assert await elsewhere.revocations.is_revoked("ses_s1") is True
            await later(aws, 2)
            with pytest.raises(StorageError):
                await elsewhere.revocations.is_revoked("ses_s1")

    run(scenario)


def test_what_passes_is_left_to_dynamodb_to_delete_but_not_too_early(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.identity() as stores:
            await filled(stores)
            await stores.sessions.rotate(session(), b"new".ljust(32), START + 2 * HOUR + 1)
            await stores.attempts.count("key", 900)
            await stores.attempts.remember("key", 60)
            await stores.sessions.end("ses_unknown", event())

    run(scenario)
    now = START // SECOND
    expiries: dict[str, list[float]] = {}
    for item in aws.items("Identity"):
        kind = item["pk"]["S"].partition("#")[0]
        expiries.setdefault(kind, []).append(int(item["expires_at"]["N"]) - now if "expires_at" in item else 0)
    window = 900 - now % 900
    assert expiries == {
        "USERS": [0],
        "EMAIL": [0],
        "CLIENTS": [0],
        "SESSION": [7_201],
        "SESSIONS": [7_201],
        "ATTEMPTS": [window + 1],
        "REMEMBERED": [61],
    }


def test_no_address_is_in_a_key(aws: AwsInstallation) -> None:
    async def scenario() -> None:
        async with aws.identity() as stores:
            await stores.users.add(user(), event())

    run(scenario)
    keys = [item[name]["S"] for item in aws.items("Identity") for name in ("pk", "sk")]
    assert len(keys) == 4
    assert not any("example" in key for key in keys)
