"""How step-ups ended, in DynamoDB, in the table of labels: pk `L#<client>#<transaction>`, sk `S`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from botocore.exceptions import ClientError

from assay.adapters.aws.clients import code_of, storage_errors
from assay.adapters.aws.profile_items import Item, key
from assay.adapters.aws.table import ABSENT, Table
from assay.labels.step_ups import StepUp, StepUpOutcome


class DynamoStepUpStore:
    """Every method raises `StorageError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def record(self, step_ups: Sequence[StepUp]) -> None:
        """Keeps those whose transactions have none yet."""
        await asyncio.gather(*map(self._record, step_ups))

    async def get(self, client_id: str, transaction_id: str) -> StepUp | None:
        """Of the transaction, if it was challenged and that has come to its end."""
        item = await self._table.get(_place(client_id, transaction_id))
        if item is None:
            return None
        return StepUp(client_id, transaction_id, StepUpOutcome(item["outcome"]["S"]), int(item["at"]["N"]))

    async def _record(self, one: StepUp) -> None:
        content: Item = {"outcome": {"S": one.outcome.value}, "at": {"N": str(one.at)}}
        put = self._table.put(_place(one.client_id, one.transaction_id) | content, ABSENT)["Put"]
        with storage_errors("step-ups"):
            try:
                await self._table.client.put_item(**put)
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise


def _place(client_id: str, transaction_id: str) -> Item:
    return key(f"L#{client_id}#{transaction_id}", "S")
