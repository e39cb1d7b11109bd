"""Weeks of a simulated bank put into a data folder at once, as if a server had scored them at the time.

Everything is made by the code that serves: features by the profile, scores and decisions by the release, labels by
`Feedback`, each at its own time. Only the requests are left out: no HTTP, no audit log, no actions, and verdicts
without reasons. The folder's server must not be running.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import polars as pl

from assay.adapters.sqlite.labels import SqliteLabelStore, SqliteSubjects
from assay.adapters.sqlite.ledger import INSERT_ACTIVITY, INSERT_DECISION, INSERT_LOGIN, UPSERT_DEVICE_USE, SqliteLedger
from assay.adapters.sqlite.scored_events import SqliteScoredEventStore
from assay.features.catalog import NAMES
from assay.features.direct import Row
from assay.features.profile import Profile
from assay.features.rates import Rates
from assay.labels.contracts import LabelRequest
from assay.labels.records import Label
from assay.moments import moment
from assay.policy import Policy
from assay.release import Release
from functions.post_auth_intelligence.events import read_recorded
from functions.post_auth_intelligence.feedback import Feedback, Sender
from local.places import Places
from local.replay.scoring import BatchScorer
from training.simulator import (
    Event,
    SimulatedLabel,
    SimulatedLogin,
    SimulatedTransaction,
    as_request,
    as_seen_login,
    as_transaction,
)
from training.simulator.events import MICROSECONDS

BATCH = 10_000
TOOK = 20_000
"""Microseconds from a transaction to its decision."""
Writes = list[tuple[str, tuple[object, ...]]]


@dataclass(slots=True)
class Filled:
    """What is in the folder now."""

    transactions: int = 0
    fraud: int = 0
    labels: list[SimulatedLabel] = field(default_factory=list)
    """Of frauds that were known by the last event."""


def fill(places: Places, release: Release, events: Iterable[Event | SimulatedLabel], client: str) -> Filled:
    """Writes the events (`with_labels`); the frauds' labels are given back, to be sent or withheld.

    Raises `StorageError`, `ReleaseError`.
    """
    return asyncio.run(_Filler(places, release, client).fill(iter(events)))


async def label(places: Places, release: Release, labels: Sequence[SimulatedLabel], client: str) -> int:
    """Takes the labels at their own times; how many there are in effect. Raises `StorageError`."""
    async with SqliteLedger(places.database) as ledger:
        limits, clock = Policy.of(release).feedback, [0]
        feedback = Feedback(SqliteSubjects(ledger), SqliteLabelStore(ledger), limits, lambda: clock[0])
        for one in labels:
            clock[0] = one.time * MICROSECONDS
            await feedback.take(
                Sender(client, is_person=False),
                [LabelRequest(transaction_id=one.transaction_id, label=Label.FRAUD_CONFIRMED)],
            )
        return len(labels)


class _Filler:
    """One folder being filled."""

    def __init__(self, places: Places, release: Release, client: str) -> None:
        self._release, self._client = release, client
        self._scorer, self._rates = BatchScorer(release), Rates.load(release.read("rates.yaml"))
        self._ledger = SqliteLedger(places.database)
        self._scored = SqliteScoredEventStore(self._ledger)
        self._profile = Profile()
        self._waiting: dict[str, Any] = {}
        self._filled = Filled()

    async def fill(self, events: Iterator[Event | SimulatedLabel]) -> Filled:
        try:
            while batch := list(islice(events, BATCH)):
                await self._write(batch)
            return self._filled
        finally:
            await self._ledger.close()

    async def _write(self, batch: Sequence[Event | SimulatedLabel]) -> None:
        rows: list[Row] = []
        transactions: list[SimulatedTransaction] = []
        writes: Writes = []
        last = max((event.time for event in batch if not isinstance(event, SimulatedLabel)), default=0)
        for event in batch:
            if isinstance(event, SimulatedTransaction):
                rows.append(self._features(event, writes))
                transactions.append(event)
            elif isinstance(event, SimulatedLogin):
                self._login(event, writes)
            elif event.time <= last:
                self._profile.confirm_fraud(self._waiting.pop(event.transaction_id))
                self._filled.labels.append(event)
        bodies = list(self._bodies(transactions, rows, writes)) if rows else []
        await self._ledger.commits.commit(writes)
        await self._scored.record([read_recorded(body) for body in bodies])

    def _features(self, event: SimulatedTransaction, writes: Writes) -> Row:
        transaction = as_transaction(event, self._rates)
        row = self._profile.row(transaction)
        self._filled.transactions += 1
        self._filled.fraud += event.label
        if event.label_time is not None:
            self._waiting[event.transaction_id] = transaction
        counted = (transaction.time, transaction.account, transaction.amount, transaction.country)
        linked = (transaction.device, transaction.address, transaction.counterparty)
        writes.append((INSERT_ACTIVITY, (self._filled.transactions, *counted, *linked)))
        if transaction.device is not None:
            writes.append((UPSERT_DEVICE_USE, (transaction.account, transaction.device, transaction.time)))
        return row

    def _login(self, event: SimulatedLogin, writes: Writes) -> None:
        login = as_seen_login(event)
        self._profile.record_login(login)
        writes.append((INSERT_LOGIN, (self._client, login.event_id, login.account, login.time, login.success)))

    def _bodies(self, transactions: list[SimulatedTransaction], rows: list[Row], writes: Writes) -> Iterator[bytes]:
        """The scored events; their decisions are put before what refers to them."""
        first = self._filled.transactions - len(rows) + 1
        decisions: Writes = []
        for number, (event, row, verdict) in enumerate(
            zip(transactions, rows, self._verdicts(rows), strict=True), first
        ):
            at = event.time * MICROSECONDS + TOOK
            told = {**verdict, "transaction_id": event.transaction_id, "decided_at": moment(at).isoformat()}
            key = (number, self._client, event.transaction_id)
            decisions.append((INSERT_DECISION, (*key, b"", json.dumps(told).encode(), at)))
            request = as_request(event)
            body = {
                "event": "transaction.scored",
                "version": 1,
                "client_id": self._client,
                "occurred_at": request["occurred_at"],
                "transaction": request,
                "features": dict(zip(NAMES, row, strict=True)),
                "verdict": told,
            }
            yield json.dumps(body).encode()
        writes[:0] = decisions

    def _verdicts(self, rows: list[Row]) -> Iterator[dict[str, Any]]:
        scored: pl.DataFrame = self._scorer.score(rows)
        named = {"release": {"version": self._release.version, "hash": self._release.hash}, "degraded": []}
        for verdict in scored.iter_rows(named=True):
            early = verdict["rules_flag"] == "BLOCK"
            yield {**verdict, **named, "is_early_exit": early, "triggered_rules": verdict["triggered_rules"].split()}
