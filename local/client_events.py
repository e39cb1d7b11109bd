"""Events for clients in the embedded installation: all of the function, and the tasks that push and purge."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from starlette.routing import Route

from assay import moments
from assay.adapters.sqlite.client_events import SqliteDeliveryStore, SqliteFeedStore
from assay.adapters.sqlite.client_events_webhooks import SqliteWebhookStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.identity.access import Access
from assay.sealing import InstallationKey
from assay.webhooks.sender import WebhookSender
from functions.client_events.app import Api, routes
from functions.client_events.consumer import ClientEventRecorder
from functions.client_events.delivery import Deliveries
from functions.client_events.webhooks import Webhooks
from local.background import Periodic
from local.ledger import with_ledger

IDLE_S = 0.2
"""Between looks at what is due."""
PURGE_S = 3_600.0


class ClientEvents:
    """Records events for clients, shows them, and pushes them. `start` it, `stop` it."""

    def __init__(self, ledger: SqliteLedger, key: InstallationKey, access: Access, allow_local: bool = False) -> None:
        """`allow_local`: webhooks may be on this machine and on private addresses, without TLS."""

        async def installation_key() -> InstallationKey:
            return key

        self._feed = SqliteFeedStore(ledger)
        self._store = SqliteDeliveryStore(ledger)
        self._webhooks = Webhooks(SqliteWebhookStore(ledger), installation_key, allow_local)
        self._allow_local = allow_local
        self._opened = AsyncExitStack()
        self._tasks: list[Periodic] = []
        self.recorder = ClientEventRecorder(self._feed)
        self.routes: list[Route] = routes(Api(self._feed, self._webhooks, access))

    async def start(self) -> None:
        """Begins pushing in the running event loop."""
        await self._store.open()
        sender = await self._opened.enter_async_context(WebhookSender(allow_local=self._allow_local))
        deliveries = Deliveries(self._store, self._webhooks, sender)
        self._tasks = [
            Periodic("webhooks of clients", deliveries.run, IDLE_S),
            Periodic("old events of clients", self._purge, PURGE_S),
        ]
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """Stops where it is: what is on its way will be sent again, with the same id."""
        for task in self._tasks:
            await task.stop()
        await self._opened.aclose()

    async def _purge(self) -> None:
        await self._feed.purge(moments.now())


def redrive(database: Path) -> int:
    """Makes the dead deliveries pending; a server that is running sends them. Raises `StorageError`."""
    return with_ledger(database, lambda ledger: SqliteDeliveryStore(ledger).redrive(moments.now()))
