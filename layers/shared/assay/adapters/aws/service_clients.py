"""Service clients in DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence

from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.revocations import DynamoRevocations
from assay.adapters.aws.table import ABSENT, Table, attributes, values
from assay.identity.records import ServiceClient, Status
from assay.schemas.event import Event

PARTITION = "CLIENTS"


class DynamoServiceClientStore:
    """Every method raises `StorageError`."""

    def __init__(self, table: Table, revocations: DynamoRevocations) -> None:
        self._table = table
        self._revocations = revocations

    async def add(self, client: ServiceClient, event: Event) -> bool:
        """False when the id is taken."""
        return not await self._table.commit("client", [self._table.put(_item(client), ABSENT)], [event])

    async def get(self, client_id: str) -> ServiceClient | None:
        """The client with this id."""
        item = await self._table.get(key(PARTITION, client_id))
        return None if item is None else _client(item)

    async def page(self, after: str, limit: int) -> list[ServiceClient]:
        """Clients by id, those after the given one."""
        return [_client(item) for item in await self._table.page(PARTITION, after, limit)]

    async def change(self, client: ServiceClient, event: Event, ended: Sequence[str] = ()) -> bool:
        """Puts the client in the place of its version before and revokes tokens of these sessions.

        False when the client was changed meanwhile.
        """
        before = {"N": str(client.version - 1)}
        replaced = self._table.put(_item(client), "version = :before", before=before)
        revoked = self._revocations.puts(ended)
        return not await self._table.commit("client", [replaced], [event], revoked)


def _item(client: ServiceClient) -> Item:
    return {**key(PARTITION, client.id), **attributes(client)}


def _client(item: Item) -> ServiceClient:
    known = values(ServiceClient, item)
    return ServiceClient(**{**known, "status": Status(known["status"])})
