"""The function on AWS: over its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from assay import moments
from assay.adapters.aws.client_events import DynamoDeliveryStore, DynamoFeedStore
from assay.adapters.aws.client_events_webhooks import DynamoWebhookStore
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.installation_key import read_installation_key
from assay.adapters.aws.table import Table, open_table
from assay.client_events.records import News
from assay.sealing import InstallationKey
from assay.webhooks.sender import WebhookSender
from functions.client_events.bootstrap import Settings
from functions.client_events.delivery import Deliveries
from functions.client_events.webhooks import Webhooks

if TYPE_CHECKING:
    from starlette.applications import Starlette


class Function:
    """What the entry point does. It belongs to one event loop, and lives as long as the process."""

    def __init__(self, settings: Settings, clients: Clients, table: Table, undo: AsyncExitStack) -> None:
        self._settings = settings
        self._clients = clients
        self._undo = undo
        self._dynamodb = table.client
        self._found_key: InstallationKey | None = None
        self.feed = DynamoFeedStore(table)
        self.store = DynamoDeliveryStore(table)
        self.webhooks = Webhooks(DynamoWebhookStore(table), self._key, settings.allow_local_webhooks)
        self._deliveries: Deliveries | None = None

    async def record(self, news: Sequence[News]) -> int:
        """Puts it into the feeds; how many were new. Raises `StorageError`."""
        return await self.feed.record(news, moments.now())

    async def deliver(self, may_go_on: Callable[[], bool]) -> int:
        """Pushes what is due; how many attempts that took. Raises `AssayError`."""
        if self._deliveries is None:  # kept: it knows which webhooks are to be left alone
            sender = WebhookSender(allow_local=self._settings.allow_local_webhooks)
            await self._undo.enter_async_context(sender)
            self._deliveries = Deliveries(self.store, self.webhooks, sender)
        return await self._deliveries.run(may_go_on)

    async def app(self) -> Starlette:
        """Serves the routes. Raises `SettingsError` without the keys of tokens: events do not wait for them."""
        from assay.adapters.aws.access import open_access
        from assay.http.application import application
        from functions.client_events.app import Api, routes

        access = await open_access(self._settings, self._dynamodb)
        return application(routes(Api(self.feed, self.webhooks, access)))

    async def _key(self) -> InstallationKey:
        """Read when the first secret is sealed or opened: what only records does not need it."""
        if self._found_key is None:
            client: Any = await self._clients.open("secretsmanager")
            self._found_key = await read_installation_key(self._settings.installation_key, client)
        return self._found_key


async def open_function(settings: Settings, undo: AsyncExitStack) -> Function:
    """The function over what the settings name; `undo` closes it."""
    clients = Clients()
    undo.push_async_callback(clients.close)
    place = (settings.client_events_table, settings.outbox_table, settings.events_topic)
    return Function(settings, clients, await open_table(clients, *place, "client events"), undo)
