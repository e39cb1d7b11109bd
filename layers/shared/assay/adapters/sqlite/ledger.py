"""The embedded stores over one file: what a decision needs is committed together, or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from assay.adapters.sqlite.group_commit import GroupCommit, Unit
from assay.adapters.sqlite.history import SqliteHistory
from assay.adapters.sqlite.schema import open_database, open_reader
from assay.errors import StorageError
from assay.features.profile import Profile
from assay.features.transaction import Login, Transaction
from assay.moments import microseconds
from assay.ports import DecisionRecord, StoredDecision
from assay.schemas.base import FeatureValue
from assay.schemas.event import TRANSACTION_SCORED
from assay.schemas.stages import StandInUsage

CACHED_ENTITIES = 200_000
INSERT_DECISION = (
    "INSERT INTO decisions (id, client_id, transaction_id, fingerprint, verdict, decided_at) VALUES (?, ?, ?, ?, ?, ?)"
)
INSERT_EVENT = "INSERT INTO outbox (body, kind) VALUES (?, ?)"
INSERT_ACTIVITY = (
    "INSERT INTO activity (id, time, account, amount, country, device, address, counterparty)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
UPSERT_DEVICE_USE = (
    "INSERT INTO device_uses VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
    " SET first_use = excluded.first_use WHERE excluded.first_use < first_use"
)
ACTIVITY = (
    "SELECT a.id, a.time, a.counterparty FROM decisions d JOIN activity a ON a.id = d.id"
    " WHERE d.client_id = ? AND d.transaction_id = ?"
)
LABEL_ACTIVITY = "UPDATE activity SET fraud = ? WHERE id = ? AND fraud <> ?"
INSERT_LOGIN = "INSERT INTO logins VALUES (?, ?, ?, ?, ?)"
NO_USAGE = StandInUsage()


class SqliteLedger:
    """The open file: one writer that groups commits, one reader. Belongs to one event loop."""

    def __init__(self, path: Path) -> None:
        writer = open_database(path)
        self.reader = open_reader(path)
        self.commits = GroupCommit(writer)

    async def __aenter__(self) -> SqliteLedger:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Waits for commits under way, then closes the file."""
        await self.commits.close()
        self.reader.close()


class SqliteProfileStore:
    """Windows in memory over the recorded activity. What a decision counted is recorded with the decision."""

    def __init__(self, ledger: SqliteLedger, capacity: int = CACHED_ENTITIES) -> None:
        self._ledger = ledger
        self._profile = Profile(SqliteHistory(ledger.reader), capacity)
        self._logins_under_way: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def observe(self, _client_id: str, transaction: Transaction) -> dict[str, FeatureValue]:
        """Counts the transaction in memory; `SqliteDecisionStore.commit` makes it durable."""
        try:
            return self._profile.observe(transaction)
        except sqlite3.Error as error:
            raise StorageError(f"profile: {error}") from error

    async def retract(self, _client_id: str, transaction: Transaction) -> None:
        """Takes the transaction out of the windows again."""
        self._profile.retract(transaction)

    async def record_login(self, client_id: str, login: Login) -> bool:
        """Commits the attempt and counts it. False when this client's event is known already."""
        key = (client_id, login.event_id)
        while (under_way := self._logins_under_way.get(key)) is not None:
            await asyncio.shield(under_way)
        if self._knows_login(key):
            return False
        done = self._logins_under_way[key] = asyncio.get_running_loop().create_future()
        try:
            await self._count_login(client_id, login)
        finally:
            # A repeat that waited finds the event committed, or else tries by itself.
            done.set_result(None)
            del self._logins_under_way[key]
        return True

    async def record_label(self, client_id: str, transaction_id: str, *, is_fraud: bool) -> None:
        """From now on the transaction's counterparty counts it as fraud, or does not."""

        def work(connection: sqlite3.Connection) -> tuple[int, str | None] | None:
            row = connection.execute(ACTIVITY, (client_id, transaction_id)).fetchone()
            if row is None or connection.execute(LABEL_ACTIVITY, (is_fraud, row[0], is_fraud)).rowcount == 0:
                return None
            return row[1], row[2]

        changed = await self._ledger.commits.run(work)
        if changed is not None:
            time, counterparty = changed
            self._profile.label(counterparty, time, is_fraud=is_fraud)

    async def _count_login(self, client_id: str, login: Login) -> None:
        row = (client_id, login.event_id, login.account, login.time, login.success)
        try:
            self._profile.record_login(login)
        except sqlite3.Error as error:
            raise StorageError(f"profile: {error}") from error
        try:
            await self._ledger.commits.commit([(INSERT_LOGIN, row)])
        except BaseException:
            self._profile.retract_login(login)
            raise

    def _knows_login(self, key: tuple[str, str]) -> bool:
        try:
            query = "SELECT 1 FROM logins WHERE client_id = ? AND event_id = ?"
            return self._ledger.reader.execute(query, key).fetchone() is not None
        except sqlite3.Error as error:
            raise StorageError(f"logins: {error}") from error


class SqliteDecisionStore:
    """Verdicts, and with each in the same commit: its activity, its event, its account's stand-in usage."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self._last_id: int = ledger.reader.execute("SELECT coalesce(max(id), 0) FROM decisions").fetchone()[0]
        rows = ledger.reader.execute("SELECT account, count, amount FROM stand_in").fetchall()
        self._stand_in = {account: StandInUsage(count=count, amount=amount) for account, count, amount in rows}

    async def find(self, client_id: str, transaction_id: str) -> StoredDecision | None:
        """The decision given before, if any."""
        try:
            row = self._ledger.reader.execute(
                "SELECT fingerprint, verdict FROM decisions WHERE client_id = ? AND transaction_id = ?",
                (client_id, transaction_id),
            ).fetchone()
        except sqlite3.Error as error:
            raise StorageError(f"decisions: {error}") from error
        return None if row is None else StoredDecision(*row)

    async def commit(self, record: DecisionRecord) -> None:
        """Returns once the whole record is on disk."""
        account = record.activity.account
        before = self._set_usage(account, record.stand_in)
        try:
            self._last_id += 1
            await self._ledger.commits.commit(_statements(self._last_id, record))
        except BaseException:
            self._set_usage(account, before)
            raise

    async def stand_in_usage(self, account: str) -> StandInUsage:
        """From memory: read when the file was opened, kept up with every commit."""
        return self._stand_in.get(account, NO_USAGE)

    def _set_usage(self, account: str | None, usage: StandInUsage | None) -> StandInUsage | None:
        if account is None or usage is None:
            return None
        before = self._stand_in.get(account, NO_USAGE)
        if usage.count:
            self._stand_in[account] = usage
        else:
            self._stand_in.pop(account, None)
        return before


def _statements(decision_id: int, record: DecisionRecord) -> Unit:
    activity = record.activity
    decided_at = microseconds(record.decided_at)
    decision = (decision_id, record.client_id, record.transaction_id, record.fingerprint, record.verdict, decided_at)
    unit: list[tuple[str, tuple[object, ...]]] = [(INSERT_DECISION, decision)]
    unit.append((INSERT_EVENT, (record.event, TRANSACTION_SCORED)))
    if activity.account is None:
        return unit
    counted = (activity.time, activity.account, activity.amount, activity.country)
    linked = (activity.device, activity.address, activity.counterparty)
    unit.append((INSERT_ACTIVITY, (decision_id, *counted, *linked)))
    if activity.device is not None:
        unit.append((UPSERT_DEVICE_USE, (activity.account, activity.device, activity.time)))
    if record.stand_in is not None:
        unit.append(_stand_in_statement(activity.account, record.stand_in))
    return unit


def _stand_in_statement(account: str, usage: StandInUsage) -> tuple[str, tuple[object, ...]]:
    if usage.count:
        return "INSERT OR REPLACE INTO stand_in VALUES (?, ?, ?)", (account, usage.count, usage.amount)
    return "DELETE FROM stand_in WHERE account = ?", (account,)
