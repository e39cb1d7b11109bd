"""What tokens and logins cost scoring, and whether time tells who has an account.

    python -m benchmarks.identity            some minutes
    python -m benchmarks.identity --quick    a smoke run; not for quoting

Also a part of `python -m benchmarks`. Guesses come from many addresses of 127.0.0.0/8, for throttling is by address:
that takes Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random

from rich.console import Console
from starlette.requests import Request

from assay.adapters.local.signing_keys import FolderSigningKeys
from assay.adapters.sqlite.ledger import SqliteLedger
from assay.adapters.sqlite.revocations import SqliteRevocations
from assay.identity.access import Access
from assay.identity.scopes import CLIENT_SCOPES, SCORE
from benchmarks import machine, product, report
from benchmarks.bodies import ACCOUNTS
from benchmarks.figures import Figure, Settings
from benchmarks.load import Plan, Runner, prebuilt
from benchmarks.outcome import Outcome, generate
from benchmarks.processes import HOST, settle, stop_on_terminate
from benchmarks.timing import median, percentile, tidy
from local import tokens
from local.identity import create_admin
from local.places import Places

GROUP = "identity"
PEOPLE = 60
"""Who log in: one of them less often than the limit of guesses that are not yet known to be right."""
PASSWORD, WRONG = "correct horse battery staple", "wrong horse battery staple"
LOGINS_PER_S, SCORES_PER_S = 20, 100
REVOKED = 10_000
LOOPBACK = count(1)


def measure(settings: Settings) -> list[Figure]:
    """The token check in process; the rest against a server as a user starts it."""
    with product.working_folder() as folder:
        figures = asyncio.run(_token_check(folder / "tokens", settings.pick(20_000, 2_000)))
        (folder / "data").mkdir(mode=0o700)
        people = [_email(number) for number in range(PEOPLE)]
        for email in people:
            create_admin(Places(folder / "data"), email, "Bench", PASSWORD)
        with product.server(folder) as server:
            figures += _beside_logins(server, people, settings)
            figures += _enumeration(server, people, settings.pick(400, 40))
            return [*figures, *_registrations(server, people, settings.pick(100, 15))]


async def _token_check(folder: Path, times: int) -> list[Figure]:
    """`Access.require` as `/score` calls it, with many sessions revoked."""
    folder.mkdir()
    ledger = SqliteLedger(folder / "assay.db")
    revoked = [(f"ses_{number}", 2**62) for number in range(REVOKED)]
    await ledger.commits.commit([("INSERT INTO revocations VALUES (?, ?)", row) for row in revoked])
    access = Access(tokens.verifier(folder), SqliteRevocations(ledger))
    ring, issuer = FolderSigningKeys(folder).read(), tokens.issuer()
    requests = [_request(issuer.mint(ring, "bench", CLIENT_SCOPES, session="ses_good")) for _ in range(500)]
    first = [await _timed(access, request) for request in requests]
    tidy()
    again = [await _timed(access, requests[number % len(requests)]) for number in range(times)]
    await ledger.close()
    note = f"in process; {REVOKED:,} sessions revoked; p99 {percentile(again, 0.99):.4f} ms"
    return [
        Figure(GROUP, "token check added to /score, p50", median(again), "ms", 0.15, "<=", "", note),
        Figure(GROUP, "  the first time a token is seen (signature), p50", median(first), "ms"),
    ]


def _request(token: str) -> Request:
    headers = [(b"host", b"assay"), (b"authorization", f"Bearer {token}".encode())]
    return Request({"type": "http", "method": "POST", "path": "/score", "query_string": b"", "headers": headers})


async def _timed(access: Access, request: Request) -> float:
    """Milliseconds."""
    start = time.perf_counter_ns()
    await access.require(request, SCORE)
    return (time.perf_counter_ns() - start) / 1e6


def _beside_logins(server: product.Server, people: list[str], settings: Settings) -> list[Figure]:
    """Constant arrivals of payments, without logins and with them, in turn."""
    seconds, rounds, sent = settings.pick(15, 4), settings.pick(4, 1), 0
    generate(server.port, clients=16, seconds=30, requests=ACCOUNTS, token=server.token)  # the accounts' first payments
    sent += ACCOUNTS
    alone: list[float] = []
    beside: list[float] = []
    logins: list[Runner] = []
    for _ in range(rounds):
        for with_logins, spent in ((False, alone), (True, beside)):
            settle(server.pids)
            with _logging_in(server.port, people, seconds if with_logins else 0) as runner:
                outcome = generate(
                    server.port,
                    clients=32,
                    seconds=seconds,
                    requests=SCORES_PER_S * seconds,
                    rate=SCORES_PER_S,
                    first=sent,
                    token=server.token,
                )
            sent += SCORES_PER_S * seconds
            spent.append(_only_verdicts(outcome).p99)
            logins += [runner] if with_logins else []
    took = [waited for runner in logins for waited in runner.plan.tally.latencies.get(200, [])]
    refused = sum(len(each) for r in logins for status, each in r.plan.tally.latencies.items() if status != 200)
    if refused or len(took) < rounds * seconds * LOGINS_PER_S * 0.9:
        raise RuntimeError(f"not every login succeeded: {len(took)} did, {refused} did not")
    note = f"{SCORES_PER_S}/s, constant arrivals; median of {rounds} rounds of {seconds} s, in turn"
    return [
        Figure(
            GROUP, f"/score beside {LOGINS_PER_S} logins/s, p99", statistics.median(beside), "ms", 120, "<=", "", note
        ),
        Figure(GROUP, "  /score without them, p99", statistics.median(alone), "ms"),
        Figure(GROUP, "  a login meanwhile, p50", median(took), "ms", note=f"p99 {percentile(took, 0.99):.0f} ms"),
    ]


@contextmanager
def _logging_in(port: int, people: list[str], seconds: int) -> Iterator[Runner]:
    """Logins at a constant rate from a thread of this process, which otherwise only waits."""
    total = seconds * LOGINS_PER_S
    payloads = [json.dumps(_login(people[number % PEOPLE], PASSWORD)).encode() for number in range(total)]
    runner = Runner(Plan(port, 8, seconds, total, LOGINS_PER_S), prebuilt("/auth/login", payloads, ""))
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(asyncio.run, runner.run()) if seconds else None
        yield runner
        if done is not None:
            done.result(seconds + 60)


def _only_verdicts(outcome: Outcome) -> Outcome:
    if outcome.failures or not outcome.answered:
        raise RuntimeError(f"not only verdicts: statuses {outcome.statuses}, errors {outcome.errors}")
    return outcome


def _enumeration(server: product.Server, people: list[str], pairs: int) -> list[Figure]:
    """Wrong passwords for those who have an account and for those who have none."""
    known, unknown = _pairs(
        server,
        "/auth/login",
        401,
        [
            (
                _login(people[number % PEOPLE], WRONG),
                _login(f"no-{number}@x.example", WRONG),
            )
            for number in range(pairs)
        ],
    )
    return _difference("a login, known over unknown e-mail address", known, unknown, 5.0)


def _registrations(server: product.Server, people: list[str], pairs: int) -> list[Figure]:
    """Of addresses that are taken, and of new ones."""
    known, unknown = _pairs(
        server,
        "/users",
        202,
        [(_registration(people[number % PEOPLE]), _registration(f"new-{number}@x.example")) for number in range(pairs)],
    )
    return _difference("a registration, taken over new e-mail address", known, unknown, 5.0)


def _pairs(
    server: product.Server, path: str, status: int, pairs: list[tuple[dict[str, str], dict[str, str]]]
) -> tuple[list[float], list[float]]:
    """Milliseconds of each half, one right after the other, in an order that is drawn."""
    spent: tuple[list[float], list[float]] = ([], [])
    rng = Random(5)
    for pair in pairs:
        for half in rng.sample((0, 1), 2):
            spent[half].append(_post(server.port, path, pair[half], status))
    return spent


def _post(port: int, path: str, body: dict[str, str], status: int) -> float:
    """One request from an address of its own, in ms. Raises RuntimeError for another status."""
    number = next(LOOPBACK)
    source = f"127.1.{number // 250}.{number % 250 + 1}"
    connection = http.client.HTTPConnection(HOST, port, timeout=30, source_address=(source, 0))
    try:
        connection.connect()
        payload = json.dumps(body)
        start = time.perf_counter_ns()
        connection.request("POST", path, payload, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        spent = (time.perf_counter_ns() - start) / 1e6
    finally:
        connection.close()
    if answer.status != status:
        raise RuntimeError(f"{path} answered {answer.status}, not {status}")
    return spent


def _difference(what: str, known: list[float], unknown: list[float], target: float) -> list[Figure]:
    apart = abs(median(known) - median(unknown))
    note = f"{len(known)} pairs, interleaved: {median(known):.2f} and {median(unknown):.2f} ms"
    return [Figure(GROUP, f"medians of {what}, apart", apart, "ms", target, "<=", "", note)]


def _email(number: int) -> str:
    return f"person-{number}@bank.example"


def _login(email: str, password: str) -> dict[str, str]:
    return {"email": email, "password": password}


def _registration(email: str) -> dict[str, str]:
    return {"email": email, "password": PASSWORD, "name": "Bench"}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.identity", description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="a smoke run")
    stop_on_terminate()
    about = machine.describe()
    figures = measure(Settings(quick=arguments.parse_args().quick))
    report.show(figures, about, Console(width=None if sys.stdout.isatty() else 160))


if __name__ == "__main__":
    main()
