"""Actions in the embedded installation: accounts, and the task that brings orders to card management."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from assay import moments
from assay.accounts.ports import KEPT
from assay.adapters.sqlite.accounts import SqliteAccountStore
from assay.adapters.sqlite.card_orders import SqliteCardOrderStore
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.release import Release
from functions.action_layer import bootstrap
from functions.action_layer.accounts import Accounts
from functions.action_layer.cards import CardDelivery
from local.background import Periodic
from local.ledger import with_ledger

IDLE_S = 0.2
"""Between looks at what is due: a block should not wait."""
FORGET_IDLE_S = 60.0
FORGET_PAUSE_S = 0.05
AT_ONCE = 500
"""Rows that are deleted together; between two such portions others have their turn at the file."""


class Actions:
    """Acts on verdicts. `start` it, `stop` it."""

    def __init__(self, release: Release, ledger: SqliteLedger, place: str, secret: Path | None = None) -> None:
        """`place`: the URL or the folder of card management; `secret`: as `bootstrap.open_cards`."""
        self.store = SqliteAccountStore(ledger)
        self.accounts = Accounts(self.store)
        self.consumer = bootstrap.build(self.store, self.accounts, release)
        self._orders = SqliteCardOrderStore(ledger)
        self._place = place
        self._secret = secret
        self._opened = AsyncExitStack()
        self._carrying_out: Periodic | None = None
        self._forgetting = Periodic("forgetting of old actions", self.forget, FORGET_IDLE_S)

    async def start(self) -> None:
        """Begins to carry out orders. Raises `SettingsError` for what cannot be used."""
        await self._orders.open()
        cards = await bootstrap.open_cards(self._place, self._secret, self._opened)
        delivery = CardDelivery(self._orders, self.accounts, cards)
        self._carrying_out = Periodic("orders for card management", delivery.run, IDLE_S)
        self._carrying_out.start()
        self._forgetting.start()

    async def stop(self) -> None:
        """Stops where it is: what is on its way will be repeated, with the same id."""
        await self._forgetting.stop()
        if self._carrying_out is not None:
            await self._carrying_out.stop()
        await self._opened.aclose()

    async def forget(self) -> None:
        """Deletes what is too old, a few rows at a time. Raises `StorageError`."""
        before = moments.now() - KEPT
        for forget in (self.store.forget, self._orders.forget):
            while await forget(before, AT_ONCE) == AT_ONCE:
                await asyncio.sleep(FORGET_PAUSE_S)


def redrive(database: Path) -> int:
    """Makes the dead orders pending; a server that is running carries them out. Raises `StorageError`."""
    return with_ledger(database, lambda ledger: SqliteCardOrderStore(ledger).redrive(moments.now()))
