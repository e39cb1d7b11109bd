"""Accounts in DynamoDB, as `account_items` lays them out. The deny list of the pipeline is read from the same items."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from assay import moments
from assay.accounts.orders import CardOrder, OrderState
from assay.accounts.ports import Action, Change
from assay.accounts.records import Account
from assay.adapters.aws.account_items import (
    ORDERS,
    account_item,
    account_key,
    action_item,
    added,
    partition,
    read_account,
    read_order,
    replaced,
)
from assay.adapters.aws.clients import code_of, storage_errors
from assay.adapters.aws.table import ABSENT, Table, Write
from assay.errors import StorageError

TRIES = 5
"""To change an account while its orders are being carried out."""
NOT_DONE = frozenset({OrderState.PENDING, OrderState.DEAD})


class DynamoAccountStore:
    """Every method raises `StorageError`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def get(self, account_id: str) -> Account:
        """The account; of version 0 when nothing is kept about it."""
        item = await self._table.get(account_key(account_id))
        return Account(account_id) if item is None else read_account(item)

    async def change(self, change: Change) -> bool:
        """Commits all of it, or nothing. False when the account was changed meanwhile."""
        account, action = self._account(change.account), change.action
        for _ in range(TRIES):
            actions = [] if action is None else [self._table.put(action_item(action), ABSENT)]
            writes = [account, *actions, *await self._orders(change.orders)]
            refused = await self._table.commit("account", writes, [] if change.event is None else [change.event])
            if not refused:
                return True
            if 0 in refused:
                return False
            if actions and 1 in refused:
                action = None  # the transaction has one
        raise StorageError("account: its orders never stand still")

    async def record(self, actions: Sequence[Action]) -> None:
        """Keeps those whose transactions have none yet."""
        await asyncio.gather(*map(self._record, actions))

    def _account(self, account: Account) -> Write:
        item = account_item(account)
        if account.version == 1:
            return self._table.put(item, ABSENT)
        return self._table.put(item, "version = :before", before={"N": str(account.version - 1)})

    async def _orders(self, orders: Sequence[CardOrder]) -> list[Write]:
        """Adds them, and drops the older ones that are not done."""
        if not orders:
            return []
        writes = [write for order in orders for write in added(self._table, order)]
        async for item in self._table.partition(partition(orders[0].account_id), after=ORDERS):
            older = read_order(item)
            if older.sequence < orders[0].sequence and older.state in NOT_DONE:
                writes += replaced(self._table, item, replace(older, state=OrderState.DROPPED))
        return writes

    async def _record(self, action: Action) -> None:
        put = self._table.put(action_item(action), ABSENT)["Put"]
        with storage_errors("actions"):
            try:
                await self._table.client.put_item(**put)
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise


class DynamoDenyList:
    """Of the accounts that are frozen now. One read, and nothing is remembered: a freeze counts from its commit on."""

    def __init__(self, client: Any, table: str, now: Callable[[], int] = moments.now) -> None:  # noqa: ANN401 - made at run time
        """`client`: of "dynamodb". `now`: in microseconds."""
        self._client = client
        self._table = table
        self._now = now

    async def denies(self, account: str) -> bool:
        """Whether the account's transactions are declined. Raises `StorageError`."""
        with storage_errors("deny list"):
            answer = await self._client.get_item(
                TableName=self._table,
                Key=account_key(account),
                ProjectionExpression="denied_until",
                ConsistentRead=True,
            )
        until = answer.get("Item", {}).get("denied_until")
        return until is not None and int(until["N"]) > self._now()
