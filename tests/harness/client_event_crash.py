"""Declines while the server is killed again and again: at the end each event is in the client's feed exactly once, and
has arrived at its webhook. More kills and seeds: `python -m tests.harness.client_event_crash`.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.harness import state
from tests.harness.client_events import Receiver, receiving
from tests.harness.process import Process, ServerProcess, forked
from tests.harness.service import EVENTS

CLIENT = "crash"
AT_ONCE = 4
RETRY_S = 0.01
KINDS = "('account.frozen', 'account.blocked')"
ORDERS = "SELECT count(*) FROM card_orders WHERE kind = 'block' AND state = 'pending'"
SAMPLE = json.loads((EVENTS / "score_blocked.json").read_text())


@dataclass(frozen=True, slots=True)
class Plan:
    """How many declines, how many kills, and which random numbers."""

    declines: int
    kills: int
    seed: int


def run(plan: Plan, data: Path) -> list[str]:
    """Everything that is not as it must be; an empty list is what the product promises."""
    with receiving() as receiver:
        server = ServerProcess(data, _allowing)
        try:
            server.start()
            server.wait_until_ready()
            _subscribe(server, receiver.url)
            _under_fire(plan, server)
            server.wait_until_ready()
            state.drained(data)
            _none_left(data, ORDERS)
            state.drained(data)
            _none_left(data, "SELECT count(*) FROM webhook_deliveries")
            return _count(plan, data, receiver, _feed(server))
        finally:
            server.close()


def _count(plan: Plan, data: Path, receiver: Receiver, feed: list[tuple[int, str, bytes]]) -> list[str]:
    """What the feed shows against what was announced, and what has arrived against what the feed shows."""
    announced = [id_ for (id_,) in state.query(data, f"SELECT id FROM audit_records WHERE kind IN {KINDS}")]  # noqa: S608
    shown = [id_ for _, id_, _ in feed]
    arrived = {headers["webhook-id"]: body for headers, body in receiver.requests}
    found = {
        "announced": len(announced),
        "in the feed": sorted(shown),
        "numbers": [number for number, _, _ in feed],
        "arrived": arrived,
        "dead letters": state.query(data, "SELECT count(*) FROM dead_letters")[0][0],
    }
    expected = {
        "announced": 2 * plan.declines,
        "in the feed": sorted(announced),
        "numbers": list(range(1, 2 * plan.declines + 1)),
        "arrived": {id_: body for _, id_, body in feed},
        "dead letters": 0,
    }
    return [f"{name}: {found[name]}, expected {expected[name]}" for name in expected if found[name] != expected[name]]


def _allowing(options: list[str], log: Path) -> Process:
    return forked([*options, "--allow-local-webhooks"], log)


def _subscribe(server: ServerProcess, url: str) -> None:
    with server.service.client(CLIENT) as client:
        answer = client.post("/webhooks", json={"url": url, "events": "all"})
        assert answer.status_code == 201, answer.text


def _under_fire(plan: Plan, server: ServerProcess) -> None:
    """Kills so that the consumer and the deliveries are at work in between."""
    chance = random.Random(plan.seed)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        numbers = iter(range(plan.declines))
        for kill in range(plan.kills + 1):
            share = plan.declines // (plan.kills + 1) if kill < plan.kills else plan.declines
            sent = [threads.submit(_decline, server, n) for _, n in zip(range(share), numbers, strict=False)]
            if kill < plan.kills:
                server.wait_until_ready()
                time.sleep(chance.uniform(0, 0.4))
                server.kill()
                server.start()
            for one in sent:
                one.result()


def _decline(server: ServerProcess, n: int) -> None:
    """Sent until it is answered."""
    own = {"transaction_id": f"t-{n}", "account_id": f"account-{n}", "device_id": f"device-{n}"}
    body: dict[str, Any] = {**SAMPLE, **own, "ip_address": f"2001:db8::{n:x}"}
    with server.service.client(CLIENT) as client:
        while True:
            try:
                answer = client.post("/score", json=body)
                if answer.status_code == 200:
                    return
                assert answer.status_code == 503, answer.text
            except httpx.TransportError:
                pass
            time.sleep(RETRY_S)


def _none_left(data: Path, statement: str) -> None:
    state.eventually(lambda: state.query(data, statement)[0][0], lambda left: left == 0, statement)


def _feed(server: ServerProcess) -> list[tuple[int, str, bytes]]:
    """Number, id and bytes of every entry, page by page."""
    found: list[tuple[int, str, bytes]] = []
    with server.service.client(CLIENT) as client:
        while True:
            after = found[-1][0] if found else 0
            page = client.get("/events", params={"after": after, "limit": 7})
            entries = page.json()["events"]
            if not entries:
                return found
            rows = state.query(
                server.service.data,
                "SELECT sequence, event_id, body FROM client_events WHERE client_id = ? AND sequence > ?"
                " ORDER BY sequence LIMIT 7",
                CLIENT,
                after,
            )
            assert [(one["sequence"], one["id"]) for one in entries] == [(n, id_) for n, id_, _ in rows]
            assert all(body in page.content for _, _, body in rows)
            found += [(n, id_, bytes(body)) for n, id_, body in rows]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="assay-crash-") as folder:
        faults = {seed: run(Plan(200, 40, seed), Path(folder) / str(seed)) for seed in (1, 2, 3)}
    for seed, wrong in faults.items():
        print(f"seed {seed}, 40 kills: {wrong or 'each event exactly once in the feed, and arrived'}")
    sys.exit(any(faults.values()))
