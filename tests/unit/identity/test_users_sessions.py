"""What happens in between: the function over its SQLite stores, with another request at the worst moment."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.adapters.sqlite.identity import SqliteAttemptStore, SqliteSessionStore, SqliteUserStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.revocations import SqliteRevocations
from assay.errors import StorageError
from assay.identity.records import Status, User
from assay.identity.scopes import Role
from assay.moments import now
from assay.problems import Problem, unavailable
from assay.schemas.event import Event
from functions.users.accounts import Accounts
from functions.users.contracts import Login, UserChange
from functions.users.minting import Mint
from functions.users.passwords import Passwords
from functions.users.sessions import Sessions
from functions.users.throttle import Throttle
from local import tokens

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
ANA = User("usr_ana", "ana@x.example", "Ana", QUICK.hash(PASSWORD), Role.LEAD, Status.ACTIVE, now())
LOGIN = Login(email=ANA.email, password=PASSWORD)
Between = Callable[[], Awaitable[object]]


class House:
    """The function's parts; `between` runs once: after a password was verified, or sessions were listed."""

    def __init__(self, folder: Path) -> None:
        self.ledger = SqliteLedger(folder / "assay.db")
        self.revocations = SqliteRevocations(self.ledger)
        self.users = SqliteUserStore(self.ledger, self.revocations)
        self.after_verify: Between | None = None
        self.after_listing: Between | None = None
        house = self

        class Listing(SqliteSessionStore):
            async def of_user(self, user_id: str):
                found = await super().of_user(user_id)
                between, house.after_listing = house.after_listing, None
                if between is not None:
                    await between()
                return found

        class Verifying(Passwords):
            async def verify(self, kept: str | None, password: str) -> bool:
                right = await super().verify(kept, password)
                between, house.after_verify = house.after_verify, None
                if between is not None:
                    await between()
                return right

        self.stored = Listing(self.ledger, self.revocations)
        passwords, throttle = Verifying(QUICK), Throttle(SqliteAttemptStore(self.ledger))
        mint = Mint(FolderSigningKeys(folder), tokens.issuer())
        self.accounts = Accounts(self.users, self.stored, passwords, throttle)
        self.sessions = Sessions(self.users, self.stored, self.accounts, passwords, throttle, mint)

    async def disable(self) -> User:
        return await self.accounts.change(ANA.id, UserChange(status="disabled"), "usr_root")

    async def begun(self) -> list[str]:
        return [session.id for session in await self.stored.of_user(ANA.id)]

    def counted(self) -> int:
        return int(self.ledger.reader.execute("SELECT coalesce(sum(count), 0) FROM attempts").fetchone()[0])


def in_house(folder: Path, scenario: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        house = House(folder)
        root = replace(ANA, id="usr_root", email="root@x.example", role=Role.ADMIN)
        for user in (ANA, root):
            assert await house.users.add(user, Event.now("user.registered", user.id))
        await scenario(house)
        await house.ledger.close()

    asyncio.run(main())


def test_whoever_is_disabled_while_the_password_is_verified_is_not_logged_in(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        house.after_verify = house.disable
        with pytest.raises(Problem) as problem:
            await house.sessions.login(LOGIN, "here")
        assert problem.value.status == 409
        assert await house.begun() == []
        with pytest.raises(Problem) as problem:
            await house.sessions.login(LOGIN, "here")
        assert problem.value.status == 403

    in_house(tmp_path, scenario)


def test_a_session_that_begins_while_its_user_is_disabled_ends_with_the_others(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        first = await house.sessions.login(LOGIN, "here")
        begun: list[str] = []

        async def login() -> None:
            await house.sessions.login(LOGIN, "there")
            begun.extend(await house.begun())

        house.after_listing = login
        await house.disable()
        assert len(begun) == 2
        assert first.refresh_token.partition(".")[0] in begun
        assert await house.begun() == []
        assert all([await house.revocations.is_revoked(session) for session in begun])

    in_house(tmp_path, scenario)


def test_a_refresh_beside_a_change_gives_nothing(tmp_path: Path) -> None:
    async def scenario(house: House) -> None:
        given = await house.sessions.login(LOGIN, "here")
        get = house.users.get

        async def changed_after_it_was_read(user_id: str) -> User | None:
            found = await get(user_id)
            house.users.get = get  # type: ignore[method-assign]
            await house.disable()
            return found

        house.users.get = changed_after_it_was_read  # type: ignore[method-assign]
        with pytest.raises(Problem) as problem:
            await house.sessions.refresh(given.refresh_token)
        assert problem.value.status == 401

    in_house(tmp_path, scenario)


@pytest.mark.parametrize("error", [unavailable("busy", "Too many"), StorageError("gone")])
def test_what_was_not_looked_at_counts_for_nothing(tmp_path: Path, error: Exception) -> None:
    async def scenario(house: House) -> None:
        async def fail() -> None:
            raise error

        for _ in range(10):
            house.after_verify = fail
            with pytest.raises(type(error)):
                await house.sessions.login(LOGIN, "here")
        assert house.counted() == 0
        assert await house.sessions.login(LOGIN, "here")

    in_house(tmp_path, scenario)
