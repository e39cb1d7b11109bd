"""Declines while the consumer is killed again and again: at the end each account is frozen and blocked exactly once.

The card system is a server that outlives the kills, and is unreliable itself. The whole figure, 40 kills and 3 seeds:
`python -m tests.harness.action_crash`.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.harness import card_system, state
from tests.harness.process import Launch, Process, ServerProcess, forked
from tests.harness.service import EVENTS

CLIENT = "crash"
CLIENTS = 4
RETRY_S = 0.01
WAITING = "SELECT count(*) FROM card_orders WHERE kind = 'block' AND state = 'pending'"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, how often, and which random numbers. Every second account has a decline."""

    accounts: int
    kills: int
    seed: int


def run(plan: Plan, data: Path) -> list[str]:
    """Everything that is not as it must be; an empty list is what the product promises."""
    chance = random.Random(plan.seed)
    with card_system.running(_unreliable(chance)) as cards:
        server = ServerProcess(data, _sending_to(cards, data))
        try:
            server.start()
            server.wait_until_ready()
            asyncio.run(_under_fire(plan, server, chance))
            server.wait_until_ready()
            state.drained(data)
            state.eventually(lambda: state.query(data, WAITING)[0][0], lambda left: left == 0, "orders that wait")
            state.drained(data)
            asyncio.run(_score_all(plan, server, "after"))
            state.drained(data)
        finally:
            server.close()
        return [*cards.faults, *count(plan, data, cards)]


def count(plan: Plan, data: Path, cards: card_system.CardSystem) -> list[str]:
    """What the file and the card system say against what was declined."""
    accounts = {_account(n) for n in range(plan.accounts) if _is_declined(n)}
    expected = {
        "actions": {"frozen": len(accounts), "none": plan.accounts - len(accounts)},
        "events": {"account.frozen": len(accounts), "account.blocked": len(accounts)},
        "orders": {("block", "done"): len(accounts), ("unblock", "pending"): len(accounts)},
        "blocks": dict.fromkeys(accounts, 1),
        "refused afterwards": accounts,
        "dead letters": 0,
    }
    effects = "SELECT effect, count(*) FROM actions WHERE transaction_id LIKE 'before-%' GROUP BY 1"
    recorded = "SELECT kind, count(*) FROM audit_records WHERE kind LIKE 'account.%' GROUP BY 1"
    orders = "SELECT kind, state, count(*) FROM card_orders GROUP BY 1, 2"
    found = {
        "actions": dict(state.query(data, effects)),
        "events": dict(state.query(data, recorded)),
        "orders": {(kind, state_): number for kind, state_, number in state.query(data, orders)},
        "blocks": dict(Counter(cards.orders("cards.block"))),
        "refused afterwards": _refused(data),
        "dead letters": state.query(data, "SELECT count(*) FROM dead_letters")[0][0],
    }
    return [f"{name}: {found[name]}, expected {expected[name]}" for name in expected if found[name] != expected[name]]


def _refused(data: Path) -> set[str]:
    """Accounts whose payments the deny list declined at the end."""
    rows = state.query(data, "SELECT body FROM scored_events WHERE transaction_id LIKE 'after-%'")
    events = [json.loads(body) for (body,) in rows]
    denied = [event for event in events if event["verdict"]["triggered_by"] == "DENY_LIST"]
    return {event["transaction"]["account_id"] for event in denied}


def _unreliable(chance: random.Random) -> card_system.Behaviour:
    """Does the work, or not, and says so, or not, or something else."""

    def behave(call: card_system.Call) -> None:
        draw = chance.random()
        if draw < 0.1:
            call.answer(503)
            return
        call.work()
        if draw < 0.2:
            call.hang_up()
        elif draw < 0.25:
            call.answer(200, b"garbage")
        else:
            call.answer(200, card_system.DONE)

    return behave


def _sending_to(cards: card_system.CardSystem, data: Path) -> Launch:
    secret = data.with_name(f"{data.name}.secret")
    secret.write_text(card_system.SECRET)

    def launch(options: list[str], log: Path) -> Process:
        return forked([*options, "--card-management", cards.url, "--card-management-secret", str(secret)], log)

    return launch


async def _under_fire(plan: Plan, server: ServerProcess, chance: random.Random) -> None:
    killing = asyncio.create_task(_kill(plan, server, chance))
    await _score_all(plan, server, "before", killing)
    await killing


async def _kill(plan: Plan, server: ServerProcess, chance: random.Random) -> None:
    """As often as the plan says, and so that the consumer is at work in between."""
    for _ in range(plan.kills):
        await asyncio.to_thread(server.wait_until_ready)
        await asyncio.sleep(chance.uniform(0, 0.4))
        server.kill()
        server.start()


async def _score_all(plan: Plan, server: ServerProcess, when: str, killing: asyncio.Task[None] | None = None) -> None:
    """One transaction per account; spread over the kills, while there are any."""
    headers = {"Authorization": f"Bearer {server.service.token(CLIENT)}"}
    numbers = iter(range(plan.accounts))
    async with httpx.AsyncClient(base_url=server.service.address, headers=headers, timeout=30) as client:

        async def work() -> None:
            for n in numbers:
                await _until_answered(client, _body(n, when))
                if killing is not None and not killing.done():
                    await asyncio.sleep(0.3 * plan.kills * CLIENTS / plan.accounts)

        await asyncio.gather(*(work() for _ in range(CLIENTS)))


async def _until_answered(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    while True:
        try:
            answer = await client.post("/score", json=body)
            if answer.status_code == 200:
                return
            assert answer.status_code == 503, answer.text
        except httpx.TransportError:
            pass
        await asyncio.sleep(RETRY_S)


def _body(n: int, when: str) -> dict[str, Any]:
    is_declined = when == "before" and _is_declined(n)
    sample = json.loads((EVENTS / ("score_blocked.json" if is_declined else "score_genuine.json")).read_text())
    own = {"transaction_id": f"{when}-{n}", "account_id": _account(n), "device_id": f"device-{n}"}
    return {**sample, **own, "ip_address": f"2001:db8::{n:x}"}


def _account(n: int) -> str:
    return f"account-{n}"


def _is_declined(n: int) -> bool:
    return n % 2 == 1


if __name__ == "__main__":
    kills, seeds = 40, (1, 2, 3)
    with tempfile.TemporaryDirectory(prefix="assay-crash-") as folder:
        found = {seed: run(Plan(400, kills, seed), Path(folder) / str(seed)) for seed in seeds}
    for seed, faults in found.items():
        print(f"seed {seed}, {kills} kills: {faults or 'each action exactly once'}")
    sys.exit(any(found.values()))
