"""The load generator: HTTP/1.1 keep-alive clients on raw sockets, in a process of its own.

    python -m benchmarks.load --port 8080 --clients 16 --seconds 5            closed loop: N clients, back to back
    python -m benchmarks.load --port 8080 --rate 200 --seconds 60             open loop: constant arrivals

Requests are built before the clock starts and answers are read no further than Content-Length and a few marks, so the
generator is not the bottleneck. In the open loop latency counts from the scheduled arrival, not from when a
connection came free: a server that stalls cannot hide it. The result is one JSON object on standard output. The bearer
token is read from $ASSAY_BENCH_TOKEN.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field

import uvloop

from benchmarks.bodies import ACCOUNTS, bodies
from benchmarks.client import Client, Tally
from benchmarks.outcome import TOKEN_VARIABLE, Outcome
from benchmarks.processes import HOST
from benchmarks.timing import percentile

DRAIN_SECONDS = 10.0


@dataclass
class Plan:
    """One run of the generator. `rate` None is the closed loop."""

    port: int
    clients: int
    seconds: float
    requests: int
    rate: float | None
    tally: Tally = field(default_factory=Tally)


class Runner:
    """Keeps the clients busy until the requests or the time are used up."""

    def __init__(self, plan: Plan, requests: list[bytes]) -> None:
        self.plan = plan
        self.requests = deque(requests)
        self.waiting: deque[float] = deque()
        self.idle: deque[Client] = deque()
        self.clients: list[Client] = []
        self.stop_at = float("inf")
        self.late: list[float] = []

    async def connect(self) -> Client:
        """One more connection."""
        loop = asyncio.get_running_loop()
        on_idle = self.next_closed if self.plan.rate is None else self.next_open
        _, client = await loop.create_connection(lambda: Client(self.plan.tally, on_idle), HOST, self.plan.port)
        self.clients.append(client)
        return client

    def next_closed(self, client: Client) -> None:
        """Closed loop: the next request leaves when the last one is answered."""
        now = time.perf_counter()
        if self.requests and now < self.stop_at and client.transport is not None:
            client.send(self.requests.popleft(), now)

    def next_open(self, client: Client) -> None:
        """Open loop: an arrival that found no free connection goes first."""
        if client.transport is None:
            return
        if self.waiting and self.requests:
            client.send(self.requests.popleft(), self.waiting.popleft())
        else:
            self.idle.append(client)

    async def run(self) -> float:
        """Run the plan. Returns the seconds it took until the last answer."""
        for _ in range(self.plan.clients):
            await self.connect()
        start = time.perf_counter()
        self.stop_at = start + self.plan.seconds
        if self.plan.rate is None:
            for client in self.clients:
                self.next_closed(client)
            await self.replace_lost()
        else:
            await self.arrive(start, self.plan.rate)
        await self.drain()
        return time.perf_counter() - start

    async def replace_lost(self) -> None:
        """A server may close a connection at any time; a real client opens another."""
        while self.requests and time.perf_counter() < self.stop_at:
            await asyncio.sleep(0.02)
            for client in [client for client in self.clients if client.transport is None]:
                self.clients.remove(client)
                self.next_closed(await self.connect())

    async def arrive(self, start: float, rate: float) -> None:
        """Constant arrivals, sent at the first millisecond tick after they are due."""
        self.idle.extend(self.clients)
        count = min(int(self.plan.seconds * rate), len(self.requests))
        sent = 0
        while sent < count:
            now = time.perf_counter()
            while sent < count and start + sent / rate <= now:
                self.one_arrival(start + sent / rate, now)
                sent += 1
            await asyncio.sleep(0.001)

    def one_arrival(self, due: float, now: float) -> None:
        self.late.append((now - due) * 1000)
        while self.idle:
            client = self.idle.popleft()
            if client.transport is not None:
                client.send(self.requests.popleft(), due)
                return
        self.waiting.append(due)

    async def drain(self) -> None:
        """Let the requests on their way be answered; what is not answered in time is an error."""
        until = time.perf_counter() + DRAIN_SECONDS
        while any(client.busy for client in self.clients) and time.perf_counter() < until:
            await asyncio.sleep(0.001)
        missing = sum(client.busy for client in self.clients) + len(self.waiting)
        if missing:
            self.plan.tally.errors["no answer"] += missing
        for client in self.clients:
            client.busy = False
            if client.transport is not None:
                client.transport.close()


def summarise(runner: Runner, seconds: float) -> Outcome:
    """The run in numbers; percentiles are of the 200s."""
    tally = runner.plan.tally
    good = tally.latencies.get(200, [])
    return Outcome(
        answered=sum(map(len, tally.latencies.values())),
        seconds=seconds,
        throughput=len(good) / seconds,
        p50=percentile(good, 0.50),
        p90=percentile(good, 0.90),
        p99=percentile(good, 0.99),
        max=max(good, default=float("nan")),
        statuses={str(status): len(values) for status, values in tally.latencies.items()},
        p99_by_status={str(status): percentile(values, 0.99) for status, values in tally.latencies.items()},
        errors=dict(tally.errors),
        marks=dict(tally.marks),
        generator_lateness_p99=percentile(runner.late, 0.99) if runner.late else 0.0,
    )


def prebuilt(path: str, payloads: list[bytes], token: str) -> list[bytes]:
    """Whole requests, ready to be written to a socket."""
    credentials = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n{credentials}Content-Length: "
    return [head.encode() + b"%d\r\n\r\n%b" % (len(payload), payload) for payload in payloads]


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.splitlines()[0])
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--path", default="/score")
    arguments.add_argument("--kind", choices=("transaction", "flat"), default="transaction")
    arguments.add_argument("--clients", type=int, default=16)
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--requests", type=int, default=20_000, help="at most this many")
    arguments.add_argument("--rate", type=float, default=None, help="arrivals per second: the open loop")
    arguments.add_argument("--first", type=int, default=0, help="number of the first body; ids never repeat above it")
    arguments.add_argument("--accounts", type=int, default=ACCOUNTS)
    return arguments


def main() -> None:
    """Entry point of the generator's process."""
    options = parser().parse_args()
    payloads = list(bodies(options.kind, options.requests, options.first, options.accounts))
    requests = prebuilt(options.path, payloads, os.environ.get(TOKEN_VARIABLE, ""))
    plan = Plan(options.port, options.clients, options.seconds, options.requests, options.rate)
    runner = Runner(plan, requests)
    gc.collect()
    gc.disable()
    seconds = uvloop.run(runner.run())
    json.dump(asdict(summarise(runner, seconds)), sys.stdout)


if __name__ == "__main__":
    main()
