"""A simulated bank as live traffic: constant arrivals, latency counted from when a request was due.

Open loop: a server that is slow does not slow the arrivals down. What finds too many requests unanswered is not sent,
and counted. It stops by itself: after the duration, at the end of the stream, or when interrupted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from training.simulator import (
    Event,
    Shift,
    SimulatedLabel,
    SimulatedLogin,
    SimulatedTransaction,
    as_login,
    as_request,
    simulate,
    with_labels,
)

IN_FLIGHT = 256
PATIENCE_S = 30.0
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send where: `rate` transactions per second for at most `duration` seconds; logins come with them."""

    url: str
    token: str
    rate: float
    duration: float
    labels: bool


@dataclass(slots=True)
class Traffic:
    """What was sent, and what came back."""

    sent: Counter[str] = field(default_factory=Counter)
    """Of `transactions`, `logins`, `labels`."""
    verdicts: dict[bool, Counter[str]] = field(default_factory=lambda: {False: Counter(), True: Counter()})
    """Truth (fraud) -> decision -> count."""
    errors: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """For people and programs; latencies are of the verdicts, from when they were due."""
        ordered = sorted(self.latencies_ms)
        return {
            "sent": dict(self.sent),
            "verdicts_legitimate": dict(self.verdicts[False]),
            "verdicts_fraud": dict(self.verdicts[True]),
            "errors": dict(self.errors),
            "seconds": round(self.seconds, 1),
            "p50_ms": round(ordered[len(ordered) // 2], 1) if ordered else None,
            "p99_ms": round(ordered[len(ordered) * 99 // 100], 1) if ordered else None,
        }


def past_events(seed: int, customers: int, days: int, shift: Shift) -> Iterator[Event | SimulatedLabel]:
    """`days` days that ended yesterday: no event is ahead of the server's clock."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return with_labels(simulate(seed, customers, days, today - timedelta(days=days), shift))


def send(plan: Plan, events: Iterator[Event | SimulatedLabel]) -> Traffic:
    """Sends the events; returns when all are answered. An interruption ends the sending, not the counting."""
    traffic = Traffic()
    asyncio.run(_Sender(plan, traffic).send(events))
    return traffic


class _Sender:
    """One run of the traffic."""

    def __init__(self, plan: Plan, traffic: Traffic) -> None:
        self._plan = plan
        self._traffic = traffic
        self._running: set[asyncio.Task[None]] = set()
        self._known: set[str] = set()
        """Transactions with a verdict: only they can be labelled."""

    async def send(self, events: Iterator[Event | SimulatedLabel]) -> None:
        """Sends at the planned rate until the plan or the stream is over."""
        headers = {"Authorization": f"Bearer {self._plan.token}"}
        limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        async with httpx.AsyncClient(
            base_url=self._plan.url, headers=headers, timeout=PATIENCE_S, limits=limits
        ) as client:
            started = time.perf_counter()
            try:
                await self._arrivals(client, events, started)
            except asyncio.CancelledError:
                self._traffic.errors["interrupted"] += 1
            await asyncio.gather(*self._running)
            self._traffic.seconds = time.perf_counter() - started

    async def _arrivals(
        self, client: httpx.AsyncClient, events: Iterator[Event | SimulatedLabel], started: float
    ) -> None:
        transactions = 0
        for event in events:
            due = started + transactions / self._plan.rate
            if isinstance(event, SimulatedTransaction):
                if due - started >= self._plan.duration:
                    return
                transactions += 1
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._start(client, event, due)

    def _start(self, client: httpx.AsyncClient, event: Event | SimulatedLabel, due: float) -> None:
        if isinstance(event, SimulatedLabel) and (not self._plan.labels or event.transaction_id not in self._known):
            return
        if len(self._running) >= IN_FLIGHT:
            self._traffic.errors["not sent: too many unanswered"] += 1
            return
        task = asyncio.create_task(self._one(client, event, due))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _one(self, client: httpx.AsyncClient, event: Event | SimulatedLabel, due: float) -> None:
        try:
            if isinstance(event, SimulatedTransaction):
                await self._transaction(client, event, due)
            elif isinstance(event, SimulatedLogin):
                await self._post(client, "logins", "/events/logins", as_login(event))
            else:
                body = {"transaction_id": event.transaction_id, "label": "fraud_confirmed"}
                await self._post(client, "labels", "/feedback", body)
        except httpx.HTTPError as error:
            self._traffic.errors[type(error).__name__] += 1

    async def _transaction(self, client: httpx.AsyncClient, event: SimulatedTransaction, due: float) -> None:
        answer = await self._post(client, "transactions", "/score", as_request(event))
        if answer.status_code == httpx.codes.OK:
            self._traffic.latencies_ms.append((time.perf_counter() - due) * 1000)
            self._traffic.verdicts[event.label][answer.json()["decision"]] += 1
            if event.label:
                self._known.add(event.transaction_id)

    async def _post(self, client: httpx.AsyncClient, what: str, path: str, body: dict[str, Any]) -> httpx.Response:
        self._traffic.sent[what] += 1
        answer = await client.post(path, json=body)
        if not answer.is_success:
            self._traffic.errors[f"{path}: HTTP {answer.status_code}"] += 1
        return answer
