"""Users, service clients and keys of the embedded installation, and the commands for them.

A command opens the installation's file for one short write, beside a running server or without one. What a server has
in its memory, as which tokens are void, no command changes: to disable somebody is the API's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.adapters.sqlite.identity import (
    SqliteAttemptStore,
    SqliteServiceClientStore,
    SqliteSessionStore,
    SqliteUserStore,
)
from assay.adapters.sqlite.ledger import INSERT_EVENT, SqliteLedger
from assay.adapters.sqlite.revocations import SqliteRevocations
from assay.errors import AssayError
from assay.identity.access import Access
from assay.problems import Problem, from_validation
from assay.schemas.event import SYSTEM, Event
from functions.users import bootstrap
from functions.users.accounts import Accounts
from functions.users.app import Api
from functions.users.contracts import NewClient, Registration
from local import tokens

if TYPE_CHECKING:
    from local.places import Places

PAGE = 100
SETTLED_S = 0.05
"""A registration that is kept waits for one commit."""
Answer = TypeVar("Answer")


class IdentityError(AssayError):
    """What a command was told to do cannot be done."""


def build(ledger: SqliteLedger, revocations: SqliteRevocations, access: Access, keys: Path) -> Api:
    """The `users` function over the installation's file and the folder with its keys."""
    return bootstrap.build(
        SqliteUserStore(ledger, revocations),
        SqliteSessionStore(ledger, revocations),
        SqliteServiceClientStore(ledger, revocations),
        SqliteAttemptStore(ledger),
        FolderSigningKeys(keys),
        tokens.issuer(),
        access,
        SETTLED_S,
    )


def create_admin(places: Places, email: str, name: str, password: str) -> str:
    """Adds an active admin; the id."""

    return _run(places, lambda api: add_admin(api.accounts, email, name, password))


async def add_admin(accounts: Accounts, email: str, name: str, password: str) -> str:
    """Adds an active admin, wherever users are; the id."""
    user = await accounts.add_admin(Registration(email=email, name=name, password=password))
    if user is None:
        raise IdentityError("the e-mail address is taken; an admin can make its user one too")
    return user.id


def users(places: Places) -> list[str]:
    """A line for each user."""
    if not places.database.exists():
        raise IdentityError(f"{places.data}: no installation of Assay")

    async def work(api: Api) -> list[str]:
        lines, after = [], ""
        while page := await api.accounts.page(after, PAGE):
            lines += [f"{user.id}  {user.status:<8}  {user.role:<7}  {user.email}" for user in page]
            after = page[-1].id
        return lines

    return _run(places, work)


def create_client(places: Places, client_id: str, scopes: list[str]) -> str:
    """Adds a service client; its secret."""

    async def work(api: Api) -> str:
        _, secret = await api.clients.add(NewClient(client_id=client_id, scopes=scopes), SYSTEM)
        return secret

    return _run(places, work)


def rotate_keys(places: Places, *, withdraw: bool) -> str:
    """Signs with a fresh key from now on; its id."""

    async def work(ledger: SqliteLedger) -> str:
        kid = FolderSigningKeys(places.keys).rotate(withdraw=withdraw).keys[0].jwk()["kid"]
        event = Event.now("keys.rotated", SYSTEM, kid=kid, withdrawn=withdraw)
        await ledger.commits.commit([(INSERT_EVENT, (event.to_json(), event.event))])
        return kid

    return asyncio.run(_with_ledger(places, work))


def _run(places: Places, work: Callable[[Api], Awaitable[Answer]]) -> Answer:
    async def with_api(ledger: SqliteLedger) -> Answer:
        revocations = SqliteRevocations(ledger)
        access = Access(tokens.verifier(places.keys), revocations)
        return await work(build(ledger, revocations, access, places.keys))

    with refusals():
        return asyncio.run(_with_ledger(places, with_api))


@contextmanager
def refusals() -> Iterator[None]:
    """What the function refuses, as a command tells it."""
    try:
        yield
    except ValidationError as error:
        raise _told(from_validation(error)) from None
    except Problem as problem:
        raise _told(problem) from None


async def _with_ledger(places: Places, work: Callable[[SqliteLedger], Awaitable[Answer]]) -> Answer:
    places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with SqliteLedger(places.database) as ledger:
        return await work(ledger)


def _told(problem: Problem) -> IdentityError:
    """On one line."""
    return IdentityError("; ".join(f"{error.field}: {error.detail}" for error in problem.errors) or problem.detail)
