"""The command for a deployed installation's dead card orders. Region and credentials are the environment's."""

from __future__ import annotations

from assay import moments
from assay.adapters.aws.card_orders import DynamoCardOrderStore
from assay.adapters.aws.clients import Clients
from assay.adapters.aws.table import open_table


async def redrive(accounts_table: str, outbox_table: str, events_topic: str) -> int:
    """Makes the dead orders pending; the function carries them out within a minute. Raises `StorageError`."""
    async with Clients() as clients:
        table = await open_table(clients, accounts_table, outbox_table, events_topic, "accounts")
        return await DynamoCardOrderStore(table).redrive(moments.now())
