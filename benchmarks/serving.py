"""`POST /score` over HTTP, against what exists, in one run.

Every server is up all the time; the load goes to one of them at a time, in turn, and the next turn begins when the last
server has become idle: work left over from one never slows another.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import product
from benchmarks.baseline.topology import bare_app, eight_services, empty_endpoint
from benchmarks.baseline.train import SEED_B, train, write
from benchmarks.bodies import ACCOUNTS
from benchmarks.figures import Figure, Settings
from benchmarks.model_rows import bare_app_sizes
from benchmarks.outcome import Outcome, generate
from benchmarks.processes import settle

ASSAY, EMPTY, EIGHT, BARE = "assay", "empty endpoint", "eight services", "bare app"
MANY = 16


@dataclass
class Contestant:
    """A server under load, and what it has shown so far."""

    port: int
    pids: tuple[int, ...]
    kind: str = "flat"
    token: str = ""
    sent: int = 0
    single: list[Outcome] = field(default_factory=list)
    many: list[Outcome] = field(default_factory=list)

    def load(self, clients: int, seconds: float, requests: int, rate: float | None = None) -> Outcome:
        """One turn. Raises RuntimeError when anything but verdicts came back."""
        outcome = generate(
            self.port,
            kind=self.kind,
            clients=clients,
            seconds=seconds,
            requests=requests,
            rate=rate,
            first=self.sent,
            token=self.token,
        )
        self.sent += requests
        settle(self.pids)
        if outcome.failures or not outcome.answered:
            raise RuntimeError(f"not only verdicts: statuses {outcome.statuses}, errors {outcome.errors}")
        return outcome


@contextmanager
def contestants(folder: Path, quick: bool) -> Iterator[dict[str, Contestant]]:
    """All servers, up and ready; all of them stopped at the end."""
    rows = 2_000 if quick else 20_000
    write(train(SEED_B, rows), folder / "seed-b")
    write(train(bare_app_sizes(), rows), folder / "equal-size")
    with ExitStack() as stack:
        assay = stack.enter_context(product.server(folder))
        empty = stack.enter_context(empty_endpoint(folder))
        eight = stack.enter_context(eight_services(folder, folder / "seed-b"))
        bare = stack.enter_context(bare_app(folder, folder / "equal-size"))
        yield {
            ASSAY: Contestant(assay.port, assay.pids, "transaction", assay.token),
            EMPTY: Contestant(empty.port, empty.pids),
            EIGHT: Contestant(eight.port, eight.pids),
            BARE: Contestant(bare.port, bare.pids),
        }


def compete(servers: dict[str, Contestant], settings: Settings) -> None:
    """Rounds of one turn each, one client and then sixteen."""
    servers[ASSAY].load(MANY, 30, ACCOUNTS)  # every account's first payment, from a device that is new to it
    for server in servers.values():
        server.load(MANY, 0.7, 1_000)
    for _ in range(settings.pick(5, 1)):
        for server in servers.values():
            server.single.append(server.load(1, settings.pick(3, 1) / 2, settings.pick(1_000, 300)))
        for server in servers.values():
            server.many.append(server.load(MANY, settings.pick(4, 1), settings.pick(30_000, 8_000)))


def middle(outcomes: list[Outcome], name: str) -> float:
    """Median over the rounds."""
    return float(statistics.median(getattr(outcome, name) for outcome in outcomes))


def ratio(servers: dict[str, Contestant], other: str) -> float:
    """Median over the rounds of Assay's throughput over the other's in the same round."""
    pairs = zip(servers[ASSAY].many, servers[other].many, strict=True)
    return statistics.median(ours.throughput / theirs.throughput for ours, theirs in pairs)


def verdicts(outcomes: list[Outcome]) -> str:
    """Shares of the verdicts. Raises RuntimeError when they are not real or mostly skipped the models."""
    answered = sum(outcome.answered for outcome in outcomes)
    names = ("APPROVE", "CHALLENGE", "DECLINE", "early_exit", "degraded")
    shares = {name: sum(outcome.marks.get(name, 0) for outcome in outcomes) / answered for name in names}
    if abs(shares["APPROVE"] + shares["CHALLENGE"] + shares["DECLINE"] - 1) > 1e-9:
        raise RuntimeError(f"answers without a verdict: {shares}")
    if shares["early_exit"] >= 0.01 or shares["degraded"] > 0:
        raise RuntimeError(f"early exits or degraded verdicts would flatter the figure: {shares}")
    return ", ".join(f"{name} {share:.1%}" for name, share in shares.items())


def measure(settings: Settings) -> list[Figure]:
    """All servers in one run."""
    with product.working_folder() as folder:
        sync = product.sync_cost_ms(folder)
        with contestants(folder, settings.quick) as servers:
            compete(servers, settings)
            steady = servers[ASSAY].load(32, settings.pick(20, 4), settings.pick(4_000, 800), rate=200)
    return figures(servers, steady, sync)


def figures(servers: dict[str, Contestant], steady: Outcome, sync: float) -> list[Figure]:
    """Rows of the table."""
    ours = servers[ASSAY]
    real = verdicts([*ours.single, *ours.many, steady])
    rows = [
        Figure("http", "one client, p50", middle(ours.single, "p50"), "ms", 1.5, "<=", "",
               "POST /score, token checked, commit durable before the answer"),
        Figure("http", "  of which a bare append + fsync on this disk costs, p50", sync, "ms"),
        Figure("http", "one client, p99", middle(ours.single, "p99"), "ms", 8.0, "<="),
        Figure("http", "16 clients, throughput", middle(ours.many, "throughput"), "/s", 1_500, ">=", "", real),
        Figure("http", "16 clients, p99", middle(ours.many, "p99"), "ms"),
        Figure("http", "200/s, constant arrivals, p99 from the scheduled time", steady.p99, "ms", 75, "<=", "",
               f"open loop, {steady.answered} requests, 0 errors; generator late by p99 "
               f"{steady.generator_lateness_p99:.1f} ms"),
    ]  # fmt: skip
    targets = {EMPTY: 0.35, EIGHT: 15.0, BARE: 2.5}
    rows += [
        Figure(
            "http", f"throughput over the {other}'s", ratio(servers, other), "x", target, ">=", _about(other, servers)
        )
        for other, target in targets.items()
    ]
    return rows + [_single(other, servers) for other in (EIGHT, BARE)]


def _about(other: str, servers: dict[str, Contestant]) -> str:
    rivals = servers[other]
    return f"{middle(rivals.many, 'throughput'):,.0f}/s with 16 clients"


def _single(other: str, servers: dict[str, Contestant]) -> Figure:
    theirs = middle(servers[other].single, "p50")
    ours = middle(servers[ASSAY].single, "p50")
    return Figure("http", f"one client, p50 over the {other}'s", ours / theirs, "x", 1.0, "<=", f"{theirs:.2f} ms")
