"""The profile over DynamoDB: any process answers from the same log, and sees what others have under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from assay.adapters.aws.clients import storage_errors
from assay.adapters.aws.profile_items import (
    AHEAD,
    FIRST_SEEN,
    KEPT,
    Row,
    entities,
    event_of,
    first_use,
    firsts,
    login_entry,
    login_marker,
    partition,
    reservation,
    reservation_key,
)
from assay.adapters.aws.profile_log import Log, ProfileLog
from assay.adapters.aws.transactions import CONDITION_FAILED, transact
from assay.errors import StorageError
from assay.features.history import Kind
from assay.features.profile import Profile, unknown_features
from assay.features.transaction import Login, Transaction
from assay.schemas.base import FeatureValue


class DynamoProfileStore:
    """A transaction is counted by its reservation until its decision is committed, then by its log entries."""

    def __init__(self, log: ProfileLog) -> None:
        self._log = log

    async def observe(self, client_id: str, transaction: Transaction) -> dict[str, FeatureValue]:
        """Reserves, then reads: of two transactions of an account at the same time, at least one sees the other.

        A reservation whose process died counts for a minute. One whose read failed here does, too.
        """
        if transaction.account is None:
            return unknown_features(transaction)
        await self._reserve(client_id, transaction)
        return Profile(await self._history(client_id, transaction)).observe(transaction)

    async def retract(self, client_id: str, transaction: Transaction) -> None:
        """Deletes the reservation."""
        if transaction.account is not None:
            with storage_errors("profile"):
                await self._log.client.delete_item(
                    TableName=self._log.table, Key=reservation_key(client_id, transaction)
                )

    async def record_login(self, client_id: str, login: Login) -> bool:
        """Writes the attempt, unless this client's event is known already."""
        table, arrival = self._log.table, self._log.clock()
        marker = {"TableName": table, "Item": login_marker(client_id, login, arrival)}
        entry = {"TableName": table, "Item": login_entry(client_id, login, arrival)}
        reasons = await transact(
            self._log.client,
            [{"Put": {**marker, "ConditionExpression": "attribute_not_exists(pk)"}}, {"Put": entry}],
            "login",
        )
        if not reasons:
            return True
        if reasons[0] == CONDITION_FAILED:
            return False
        raise StorageError(f"login: {', '.join(reasons)}")

    async def _reserve(self, client_id: str, tx: Transaction) -> None:
        with storage_errors("profile"):
            await self._log.client.put_item(
                TableName=self._log.table, Item=reservation(client_id, tx, self._log.clock())
            )

    async def _history(self, client_id: str, tx: Transaction) -> LogHistory:
        """Everything the features may ask about the transaction, read at the same time."""
        names, beginnings = entities(tx), list(firsts(tx))
        read, times = await asyncio.gather(
            asyncio.gather(*(self._log.read(kind, name, tx.time) for kind, name in names.items())),
            asyncio.gather(*(self._log.first(*first, tx.time) for first in beginnings)),
        )
        logs = {kind: log for kind, (log, _) in zip(names, read, strict=True)}
        others = _not_entered(read[0][1], logs["account"])
        others.pop(event_of(reservation_key(client_id, tx)["sk"]["S"]), None)
        known = dict(zip(beginnings, times, strict=True))
        return LogHistory(logs, list(others.values()), known, self._log.clock())


class LogHistory:
    """`assay.features.history.History` of one transaction's entities, whatever their names: all is in memory."""

    def __init__(
        self, logs: dict[Kind, Log], under_way: list[Row], known: dict[tuple[str, str], int | None], now: int
    ) -> None:
        """`under_way`: other transactions of the account. `known`: first uses and sights by where they are kept."""
        self._logs = logs
        self._under_way = under_way
        self._known = known
        self._now = now

    def known_since(self, kind: Kind, _name: str) -> int:
        """As far back as was read, and as no entry has expired."""
        return max(self._logs[kind].since, self._now - KEPT[kind]) + AHEAD

    def account_transactions(
        self, _account: str, since: int
    ) -> Iterable[tuple[int, int | None, str | None, str | None]]:
        """(time, amount, counterparty, country), those under way too."""
        rows = [*self._rows("account", since), *(row for row in self._under_way if row.time > since)]
        return [(row.time, row.amount, row.counterparty, row.country) for row in rows if row.success is None]

    def device_accounts(self, _device: str, since: int) -> Iterable[tuple[int, str]]:
        """(time, account)."""
        return [(row.time, row.account or "") for row in self._rows("device", since)]

    def address_accounts(self, _address: str, since: int) -> Iterable[tuple[int, str]]:
        """(time, account)."""
        return [(row.time, row.account or "") for row in self._rows("address", since)]

    def counterparty_transactions(self, _counterparty: str, since: int) -> Iterable[tuple[int, bool]]:
        """(time, confirmed as fraud)."""
        return [(row.time, bool(row.fraud)) for row in self._rows("counterparty", since)]

    def logins(self, _account: str, since: int) -> Iterable[tuple[int, bool]]:
        """(time, success)."""
        return [(row.time, row.success) for row in self._rows("account", since) if row.success is not None]

    def first_use(self, account: str, device: str) -> int | None:
        """The committed one, or that of a transaction under way."""
        committed = self._known[partition("account", account), first_use(device)]
        times = [row.time for row in self._under_way if row.device == device]
        return min(times if committed is None else [*times, committed], default=None)

    def first_seen(self, device: str) -> int | None:
        """The committed one."""
        return self._known[partition("device", device), FIRST_SEEN]

    def _rows(self, kind: Kind, since: int) -> Iterable[Row]:
        return (row for row in self._logs[kind].rows.values() if row.time > since)


def _not_entered(under_way: dict[str, Row], account: Log) -> dict[str, Row]:
    """Of what was under way, that which is not in the log by now: both may be seen while a commit lands."""
    entered = {event_of(sk) for sk in account.rows} if under_way else set()
    return {event: row for event, row in under_way.items() if event not in entered}
