"""The demo's second part: a simulated bank's transactions and logins, in time order, over a few connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.simulator.events import SimulatedLogin, SimulatedTransaction, as_login, as_request
from training.simulator.simulate import simulate

CLIENTS = 4
SEED = 20
CUSTOMERS = 150


@dataclass(frozen=True, slots=True)
class Scored:
    """One transaction of the stream, what came back, and how long that took in milliseconds."""

    transaction: SimulatedTransaction
    verdict: dict[str, Any]
    latency_ms: float


@dataclass(slots=True)
class Outcome:
    """What the stream brought."""

    scored: list[Scored]
    faults: list[str]
    seconds: float


def score_stream(address: str, headers: dict[str, str], transactions: int, console: Console) -> Outcome:
    """Sends simulated events until `transactions` are scored."""
    return asyncio.run(_score_stream(address, headers, transactions, console))


def _events(transactions: int) -> Iterator[SimulatedTransaction | SimulatedLogin]:
    """Enough days of the simulated bank, ending yesterday: no event is ahead of the clock."""
    days = transactions // CUSTOMERS + 5
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days + 1)
    seen = 0
    for event in simulate(SEED, CUSTOMERS, days, start):
        seen += isinstance(event, SimulatedTransaction)
        if seen > transactions:
            return
        yield event


async def _score_stream(address: str, headers: dict[str, str], transactions: int, console: Console) -> Outcome:
    outcome = Outcome([], [], 0.0)
    events = _events(transactions)
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        bar = progress.add_task("", total=transactions)
        started = time.perf_counter()
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:

            async def work() -> None:
                # The clients share one stream, so events leave in time order and arrive nearly so.
                for event in events:
                    await _send(client, event, outcome)
                    progress.update(bar, completed=len(outcome.scored))

            await asyncio.gather(*(work() for _ in range(CLIENTS)))
        outcome.seconds = time.perf_counter() - started
    return outcome


async def _send(client: httpx.AsyncClient, event: SimulatedTransaction | SimulatedLogin, outcome: Outcome) -> None:
    if isinstance(event, SimulatedLogin):
        answer = await client.post("/events/logins", json=as_login(event))
        if answer.status_code != 202:
            outcome.faults.append(f"login {event.event_id}: HTTP {answer.status_code} {answer.text}")
        return
    started = time.perf_counter()
    answer = await client.post("/score", json=as_request(event))
    latency_ms = (time.perf_counter() - started) * 1000
    if answer.status_code == 200:
        outcome.scored.append(Scored(event, answer.json(), latency_ms))
    else:
        outcome.faults.append(f"{event.transaction_id}: HTTP {answer.status_code} {answer.text}")


def notable(scored: list[Scored], rows: int) -> list[Scored]:
    """A few of each verdict, latest first, frauds before honest ones: what is worth showing."""
    chosen: list[Scored] = []
    for decision in ("DECLINE", "CHALLENGE", "APPROVE"):
        of_kind = [item for item in reversed(scored) if item.verdict["decision"] == decision]
        of_kind.sort(key=lambda item: not item.transaction.label)
        chosen.extend(islice(of_kind, rows))
    return chosen
