"""A simulated bank as a table of scored events, with or without something that changes on a day."""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from random import Random

import polars as pl

from assay.features.direct import Row
from assay.features.profile import Profile
from assay.features.rates import Rates
from assay.features.transaction import Transaction
from assay.intelligence.scored_table import FEATURES
from assay.release import Release
from local.replay.scoring import BatchScorer
from training.simulator import START, simulate
from training.simulator.events import (
    MICROSECONDS,
    Event,
    SimulatedLogin,
    SimulatedTransaction,
    as_seen_login,
    as_transaction,
)

SEED, CUSTOMERS = 7, 2_600
"""Of the bank that the release was trained on, later."""
WARM_UP_DAYS = 32
BATCH = 8_192
DAY_S = 86_400
Change = Callable[[SimulatedTransaction, Random], SimulatedTransaction]


@dataclass(frozen=True, slots=True)
class History:
    """`table`: as of `scored_table`; `labels`: as of `labels_table`."""

    table: pl.DataFrame
    labels: pl.DataFrame


def history(release: Release, first_day: int, change_day: int, days: int, change: Change | None = None) -> History:
    """The bank from a day of its simulation on, until so many days after `change_day`, from which on every transaction
    goes through `change`."""
    before = _until(release, first_day, change_day, days)
    profile, waiting = pickle.loads(before.state)
    rng = Random(f"{SEED}:change")
    changed = (
        change(event, rng) if change is not None and isinstance(event, SimulatedTransaction) else event
        for event in before.rest
    )
    table = pl.concat([before.table, _table(release, profile, waiting, changed)])
    labels = table.filter(pl.col("labelled_at").is_not_null())
    return History(
        table.drop("labelled_at"),
        labels.select("client_id", "transaction_id", pl.lit("fraud_confirmed").alias("label"), "labelled_at"),
    )


Waiting = list[tuple[int, str, Transaction]]
"""Frauds by when their label comes: a heap."""


@dataclass(frozen=True, slots=True)
class Until:
    """What came before the change, the profile and the waiting labels as they were then, and what comes after."""

    table: pl.DataFrame
    state: bytes
    rest: list[Event]


@cache
def _until(release: Release, first_day: int, change_day: int, days: int) -> Until:
    """Made once: copying a profile is faster than making it."""
    warm, first, turn = (START.timestamp() + day * DAY_S for day in (first_day - WARM_UP_DAYS, first_day, change_day))
    events = (event for event in simulate(SEED, CUSTOMERS, change_day + days) if event.time >= warm)
    early: list[Event] = []
    rest: list[Event] = []
    for event in events:
        (early if event.time < turn else rest).append(event)
    profile, waiting = Profile(), Waiting()
    table = _table(release, profile, waiting, early)
    known = table.filter(pl.col("occurred_at").dt.epoch("s") >= first)
    return Until(known, pickle.dumps((profile, waiting)), rest)


def _table(release: Release, profile: Profile, waiting: Waiting, events: Iterable[Event]) -> pl.DataFrame:
    """Counts the events in the profile, and scores them."""
    scorer, rates = BatchScorer(release), Rates.load(release.read("rates.yaml"))
    parts: list[pl.DataFrame] = []
    known: list[SimulatedTransaction] = []
    rows: list[Row] = []
    for event in events:
        while waiting and waiting[0][0] <= event.time:
            profile.confirm_fraud(heapq.heappop(waiting)[2])
        if isinstance(event, SimulatedLogin):
            profile.record_login(as_seen_login(event))
            continue
        transaction = as_transaction(event, rates)
        rows.append(tuple(profile.observe(transaction).values()))
        known.append(event)
        if event.label_time is not None:
            heapq.heappush(waiting, (event.label_time, event.transaction_id, transaction))
        if len(rows) == BATCH:
            parts.append(_scored(release, scorer, known, rows))
            known, rows = [], []
    return pl.concat([*parts, *([_scored(release, scorer, known, rows)] if rows else [])])


def moment(day: float) -> datetime:
    """Of a day of the simulation."""
    return START + timedelta(days=day)


def _scored(release: Release, scorer: BatchScorer, known: list[SimulatedTransaction], rows: list[Row]) -> pl.DataFrame:
    columns = dict(zip(FEATURES, zip(*rows, strict=True), strict=True))
    features = pl.DataFrame(
        [pl.Series(name, values, dtype=FEATURES[name], strict=False) for name, values in columns.items()]
    )
    scored = scorer.score(rows)
    moments = {"occurred_at": [each.time for each in known], "labelled_at": [each.label_time for each in known]}
    heads = pl.DataFrame(
        {
            "client_id": ["bank"] * len(known),
            "transaction_id": [each.transaction_id for each in known],
            **{
                name: (pl.Series(times, dtype=pl.Int64) * MICROSECONDS).cast(pl.Datetime("us", "UTC"))
                for name, times in moments.items()
            },
            "release_hash": [release.hash] * len(known),
            "is_early_exit": scored["rules_flag"] == "BLOCK",
        }
    )
    return pl.concat([heads, features, scored], how="horizontal")


def amounts(factor: float) -> Change:
    """Everything costs so many times as much."""
    return lambda event, _: replace(event, amount=max(0.01, round(event.amount * factor, 2)))


def spread(power: float, middle: float = 26.0) -> Change:
    """Large amounts are larger and small ones smaller."""

    def change(event: SimulatedTransaction, _: Random) -> SimulatedTransaction:
        return replace(event, amount=max(0.01, round(middle * (event.amount / middle) ** power, 2)))

    return change


def new_country(share: float) -> Change:
    """So many come from a country that training never saw."""
    return lambda event, rng: replace(event, geo_country="JP") if rng.random() < share else event


def without_device(share: float) -> Change:
    """So many no longer say which device and address they come from."""
    return lambda event, rng: replace(event, device_id=None, ip_address=None) if rng.random() < share else event


def unseen_fraud(share: float) -> Change:
    """So many of the honest-looking ones are fraud, which only labels tell: four days later."""

    def change(event: SimulatedTransaction, rng: Random) -> SimulatedTransaction:
        if event.label or rng.random() >= share:
            return event
        return replace(event, label=True, story="unseen", label_time=event.time + round(rng.uniform(1, 6) * DAY_S))

    return change
