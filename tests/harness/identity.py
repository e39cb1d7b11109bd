"""The whole embedded product in this process, with people who log in to it from addresses of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.identity.scopes import CLIENT_SCOPES, Role, scopes_of
from local import tokens
from local.embedded import Embedded
from local.identity import create_admin
from local.places import MODELS, Places

PASSWORD = "correct horse battery staple"
ADMIN = "root@bank.example"
HOME = "203.0.113.7"
NUMBERS = count(1)


@dataclass(slots=True)
class Person:
    """A user who has logged in."""

    id: str
    email: str
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def bearer(self) -> dict[str, str]:
        """Headers with its access token."""
        return bearer(self.tokens["access_token"])

    @property
    def refresh_token(self) -> str:
        """The newest."""
        token: str = self.tokens["refresh_token"]
        return token


@dataclass(slots=True)
class Town:
    """The product and those who use it."""

    embedded: Embedded
    places: Places
    stack: AsyncExitStack
    admin: Person
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, address: str = HOME, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        """A request from the address, over a connection of its own."""
        if address not in self.clients:
            transport = httpx.ASGITransport(self.embedded.app, raise_app_exceptions=False, client=(address, 40_000))
            client = httpx.AsyncClient(transport=transport, base_url="http://assay")
            self.clients[address] = await self.stack.enter_async_context(client)
        return await self.clients[address].request(method, path, headers=headers, **body)

    async def login(self, email: str, password: str = PASSWORD, address: str = HOME) -> httpx.Response:
        """`POST /auth/login`."""
        return await self.call("POST", "/auth/login", address, json={"email": email, "password": password})

    async def refresh(self, token: str) -> httpx.Response:
        """`POST /auth/refresh`."""
        return await self.call("POST", "/auth/refresh", json={"refresh_token": token})

    async def me(self, headers: dict[str, str]) -> int:
        """Status of `GET /users/me`: whether the token is good."""
        return (await self.call("GET", "/users/me", headers=headers)).status_code

    async def change(self, user: str, actor: Person | None = None, **change: str) -> httpx.Response:
        """`PATCH /users/{id}` by an admin."""
        headers = (actor or self.admin).bearer
        return await self.call("PATCH", f"/users/{user}", headers=headers, json=change)

    async def register(self, email: str, address: str | None = None) -> httpx.Response:
        """`POST /users`, from an address of its own."""
        body = {"email": email, "password": PASSWORD, "name": "Somebody"}
        return await self.call("POST", "/users", address or f"198.51.100.{next(NUMBERS) % 250}", json=body)

    async def person(self, role: Role = Role.VIEWER) -> Person:
        """Registers, is activated, and logs in."""
        email = f"person-{next(NUMBERS)}@bank.example"
        assert (await self.register(email)).status_code == 202
        (user,) = [user for user in await self.users() if user["email"] == email]
        changed = await self.change(user["id"], role=role.value, status="active")
        assert changed.status_code == 200, changed.text
        return await self.logged_in(email)

    async def logged_in(self, email: str) -> Person:
        """With tokens of a new session."""
        answer = await self.login(email)
        assert answer.status_code == 200, answer.text
        person = Person("", email, answer.json())
        person.id = (await self.call("GET", "/users/me", headers=person.bearer)).json()["id"]
        return person

    async def users(self) -> list[dict[str, Any]]:
        """All of them, page by page."""
        found: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            query = f"?after={after}" if after else ""
            page = (await self.call("GET", f"/users{query}", headers=self.admin.bearer)).json()
            found, after = found + page["users"], page["next"]
        return found

    async def service_client(self, client_id: str, *scopes: str) -> str:
        """A new service client's secret."""
        body = {"client_id": client_id, "scopes": list(scopes or CLIENT_SCOPES)}
        answer = await self.call("POST", "/clients", headers=self.admin.bearer, json=body)
        assert answer.status_code == 201, answer.text
        secret: str = answer.json()["client_secret"]
        return secret

    async def client_token(self, client_id: str, secret: str, address: str = HOME, **more: str) -> httpx.Response:
        """`POST /oauth/token`."""
        body = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **more}
        return await self.call("POST", "/oauth/token", address, data=body)

    def token(self, subject: str, role: Role, session: str) -> dict[str, str]:
        """Headers with a token of a session that was not begun by a login."""
        ring = FolderSigningKeys(self.places.keys).read()
        return bearer(tokens.issuer().mint(ring, subject, scopes_of(role), session=session, role=role))

    def events(self) -> list[dict[str, Any]]:
        """What was announced and is not purged, oldest first, without scored transactions."""
        statement = "SELECT body FROM outbox WHERE kind <> 'transaction.scored' ORDER BY sequence"
        return [json.loads(row[0]) for row in self.embedded.ledger.reader.execute(statement)]

    def kinds(self) -> list[str]:
        """Of the events."""
        return [event["event"] for event in self.events()]


def bearer(token: str) -> dict[str, str]:
    """Headers with the access token."""
    return {"Authorization": f"Bearer {token}"}


def run(data: Path, scenario: Callable[[Town], Awaitable[None]], admin: str = ADMIN, models: Path = MODELS) -> None:
    """Runs the scenario in an installation, with an admin who is new to it."""
    places = Places(data, models)
    id_ = create_admin(places, admin, "Root", PASSWORD)

    async def main() -> None:
        async with _town(places, Person(id_, admin)) as town:
            await scenario(town)

    asyncio.run(main())


@asynccontextmanager
async def _town(places: Places, admin: Person) -> AsyncIterator[Town]:
    embedded = Embedded(places)
    await embedded.start()
    try:
        async with AsyncExitStack() as stack:
            town = Town(embedded, places, stack, admin)
            admin.tokens = (await town.login(admin.email)).json()
            yield town
    finally:
        await embedded.close()
