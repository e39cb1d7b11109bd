"""The function on AWS: over its table, by the policy of the release, with the card system's secret as it is now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.accounts.ports import CardManagement
from assay.adapters.aws.accounts import DynamoAccountStore
from assay.adapters.aws.card_orders import DynamoCardOrderStore
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.secrets import read_secrets
from assay.adapters.aws.table import Table, open_table
from assay.adapters.cards_http import HttpCardManagement, SecretSource, parse_secret, secret_in
from assay.errors import SettingsError
from assay.release.champion import Champion
from assay.webhooks.signing import Secret
from functions.action_layer.accounts import Accounts
from functions.action_layer.bootstrap import UNSIGNED, Settings, build
from functions.action_layer.cards import CardDelivery, NoCards

if TYPE_CHECKING:
    from starlette.applications import Starlette

SECRETS_MANAGER = "secretsmanager:"
FRESH_S = 60.0
"""How old the secret may be."""


class Function:
    """What the entry point does. It belongs to one event loop, and lives as long as the process."""

    def __init__(self, settings: Settings, champion: Champion, table: Table, cards: CardManagement) -> None:
        """Raises `PolicyError`, `ReleaseError`."""
        self._settings = settings
        self._dynamodb = table.client
        store = DynamoAccountStore(table)
        self.accounts = Accounts(store)
        self.layer = build(store, self.accounts, champion.current())
        champion.follow_policy(self.layer.decide_by)
        self.delivery = CardDelivery(DynamoCardOrderStore(table), self.accounts, cards)

    async def app(self) -> Starlette:
        """Serves the routes. Raises `SettingsError` without the keys of tokens: declines do not wait for them."""
        from assay.adapters.aws.access import open_access
        from assay.http.application import application
        from functions.action_layer.app import Api, routes

        return application(routes(Api(self.accounts, await open_access(self._settings, self._dynamodb))))


class KeptSecret:
    """What orders are signed with, in Secrets Manager, read again each minute in which there are orders."""

    def __init__(self, client: Any, arn: str, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "secretsmanager"."""
        self._client = client
        self._arn = arn
        self._clock = clock
        self._reading = asyncio.Lock()
        self._secret: Secret | None = None
        self._read_at = 0.0

    async def __call__(self) -> Secret:
        """The secret. Raises `StorageError`, and `SettingsError` for what is none."""
        async with self._reading:
            if self._secret is None or self._clock() - self._read_at >= FRESH_S:
                asked_at = self._clock()
                text = (await read_secrets(self._client, [self._arn]))[self._arn]
                self._secret, self._read_at = parse_secret(text, self._arn), asked_at
            return self._secret


async def open_function(settings: Settings, champion: Champion, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it. Raises `AssayError`."""
    clients = Clients()
    undo.push_async_callback(clients.close)
    table = await open_table(clients, settings.accounts_table, settings.outbox_table, settings.events_topic, "accounts")
    return Function(settings, champion, table, await _open_cards(settings, clients, undo))


async def _open_cards(settings: Settings, clients: Clients, undo: AsyncExitStack) -> CardManagement:
    if not settings.card_management:
        return NoCards()
    if not settings.card_management_secret:
        raise SettingsError(UNSIGNED)
    secret = await _secret_source(settings.card_management_secret, clients)
    return await undo.enter_async_context(HttpCardManagement(settings.card_management, secret))


async def _secret_source(place: str, clients: Clients) -> SecretSource:
    if not place.startswith(SECRETS_MANAGER):
        return secret_in(Path(place))
    return KeptSecret(await clients.open("secretsmanager"), place.removeprefix(SECRETS_MANAGER))
