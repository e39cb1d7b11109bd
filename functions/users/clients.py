"""Service clients: their secrets, their scopes, and their tokens."""

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest

from assay.identity.ports import ServiceClientStore
from assay.identity.records import ServiceClient, Status
from assay.identity.scopes import CLIENT_SCOPES
from assay.moments import now
from assay.problems import Problem
from assay.schemas.event import SYSTEM, Event
from functions.users.accounts import USER_PREFIX, changed_meanwhile
from functions.users.contracts import AccessToken, ClientChange, NewClient
from functions.users.minting import Mint, digest, new_secret, new_session
from functions.users.oauth import OAuthError, TokenRequest, invalid_client
from functions.users.passwords import refused
from functions.users.throttle import Throttle

NOBODYS = digest(new_secret())


class Clients:
    """Service clients. All of it raises `Problem` and `StorageError`."""

    def __init__(self, clients: ServiceClientStore, throttle: Throttle, mint: Mint) -> None:
        self._clients = clients
        self._throttle = throttle
        self._mint = mint

    async def token(self, request: TokenRequest, address: str) -> AccessToken:
        """An access token by client credentials. Raises `OAuthError` too; 429."""
        client = await self._clients.get(request.client_id)
        right = compare_digest(digest(request.client_secret), client.secret_hash if client else NOBODYS)
        if client is None or not right or client.status is not Status.ACTIVE:
            await self._throttle.wrong_secret(request.client_id, address)
            raise invalid_client()
        scopes = client.scopes if request.scopes is None else request.scopes
        if not set(scopes) <= set(client.scopes):
            raise OAuthError("invalid_scope", "The client does not have every one of these scopes")
        return await self._mint.token(client.id, scopes, client.session)

    async def add(self, new: NewClient, actor: str) -> tuple[ServiceClient, str]:
        """The client and its secret. 409: the id is taken; 422."""
        if new.client_id == SYSTEM or new.client_id.startswith(USER_PREFIX):
            raise refused("client_id", "reserved", f"It should not be {SYSTEM} and not begin with {USER_PREFIX}")
        secret, scopes = new_secret(), _scopes(new.scopes)
        client = ServiceClient(new.client_id, digest(secret), scopes, Status.ACTIVE, new_session(), now())
        event = Event.now("client.created", actor, client=client.id, scopes=list(scopes))
        if not await self._clients.add(client, event):
            raise Problem(409, "taken", "There is a client with this id")
        return client, secret

    async def page(self, after: str, limit: int) -> list[ServiceClient]:
        """Clients by id, those after the given one."""
        return await self._clients.page(after, limit)

    async def change(self, client_id: str, change: ClientChange, actor: str) -> ServiceClient:
        """The client with other scopes or another status; its tokens so far are void. 404, 409, 422."""
        client = await self._get(client_id)
        scopes = client.scopes if change.scopes is None else _scopes(change.scopes)
        changed = replace(client, scopes=scopes, status=Status(change.status or client.status))
        if changed == client:
            return client
        data = {"scopes": list(changed.scopes), "status": changed.status.value}
        return await self._replace(changed, Event.now("client.changed", actor, client=client.id, **data))

    async def new_secret(self, client_id: str, actor: str) -> tuple[ServiceClient, str]:
        """The client with a new secret; the one before and its tokens are void. 404, 409."""
        client, secret = await self._get(client_id), new_secret()
        changed = replace(client, secret_hash=digest(secret))
        return await self._replace(changed, Event.now("client.secret_rotated", actor, client=client.id)), secret

    async def _get(self, client_id: str) -> ServiceClient:
        client = await self._clients.get(client_id)
        if client is None:
            raise Problem(404, "unknown_client", "No client has this id")
        return client

    async def _replace(self, client: ServiceClient, event: Event) -> ServiceClient:
        changed = replace(client, session=new_session(), version=client.version + 1)
        if not await self._clients.change(changed, event, [client.session]):
            raise changed_meanwhile()
        return changed


def _scopes(names: list[str]) -> tuple[str, ...]:
    """In the order of `CLIENT_SCOPES`, each once."""
    if not set(names) <= set(CLIENT_SCOPES):
        raise refused("scopes", "scope", f"There are {', '.join(CLIENT_SCOPES)}")
    return tuple(scope for scope in CLIENT_SCOPES if scope in names)
