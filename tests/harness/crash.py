"""Clients that retry until they are answered, a server that is killed again and again, and the count at the end."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from assay.errors import AssayError
from local.audit.verify import prove
from tests.harness import state
from tests.harness.audit import held
from tests.harness.process import Launch, ServerProcess, forked

CLIENT = "crash"
STEP = timedelta(minutes=30)
RETRY_S = 0.01
AGAIN = 0.1
DURING_START = 0.15


@dataclass(frozen=True, slots=True)
class Plan:
    """How much, how often, and which random numbers."""

    requests: int
    kills: int
    seed: int
    clients: int = 8
    accounts_per_client: int = 5
    launch: Launch = forked


@dataclass(slots=True)
class Answers:
    """Every answer that any client ever got, by transaction."""

    by_id: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    refusals: list[str] = field(default_factory=list)
    retries: int = 0

    def note(self, transaction_id: str, answer: httpx.Response) -> bool:
        """Keeps the answer; False when the request must be sent again."""
        if answer.status_code == 200:
            self.by_id[transaction_id].append(answer.content)
            return True
        if answer.status_code == 503 and "retry-after" in answer.headers:
            return False
        self.refusals.append(f"{transaction_id}: HTTP {answer.status_code} {answer.text[:200]}")
        return True


def run(plan: Plan, data: Path) -> tuple[Answers, list[str]]:
    """The answers, and everything that is not as it must be; an empty list is what the product promises."""
    server = ServerProcess(data, plan.launch)
    try:
        server.start()
        server.wait_until_ready()
        answers = asyncio.run(_under_fire(plan, server))
        server.wait_until_ready()
        state.drained(data)
    finally:
        server.close()
    return answers, [*answers.refusals, *count(data, answers, plan)]


async def _under_fire(plan: Plan, server: ServerProcess) -> Answers:
    answers, chance = Answers(), random.Random(plan.seed)
    killing = asyncio.create_task(_kill(plan, server, answers, chance))
    await asyncio.gather(*(_client(number, plan, server, answers) for number in range(plan.clients)))
    await killing
    return answers


async def _kill(plan: Plan, server: ServerProcess, answers: Answers, chance: random.Random) -> None:
    """Kills in the middle of the traffic, now and then in the middle of a start; starts again at once."""
    last = int(plan.requests * 0.97)
    for at in sorted(chance.randrange(1, last) for _ in range(plan.kills)):
        if chance.random() < DURING_START:
            await asyncio.sleep(chance.uniform(0, 1))
        else:
            while len(answers.by_id) < at:
                await asyncio.sleep(0.001)
            await asyncio.sleep(chance.uniform(0, 0.005))
        server.kill()
        server.start()


async def _client(number: int, plan: Plan, server: ServerProcess, answers: Answers) -> None:
    """One request after the other, so that each account's transactions are sent in the order of their times."""
    chance = random.Random(plan.seed * 1_000 + number)
    headers = {"Authorization": f"Bearer {server.service.token(CLIENT)}"}
    async with httpx.AsyncClient(base_url=server.service.address, headers=headers, timeout=30) as client:
        for n in range(plan.requests // plan.clients):
            body = _body(number, n, plan)
            await _until_answered(client, body, answers)
            if chance.random() < AGAIN:
                await _until_answered(client, body, answers)


def _body(number: int, n: int, plan: Plan) -> dict[str, Any]:
    account, nth = f"account-{number}-{n % plan.accounts_per_client}", n // plan.accounts_per_client
    occurred_at = _start(plan) + nth * STEP
    return {
        "transaction_id": f"crash-{number}-{n}",
        "account_id": account,
        "occurred_at": occurred_at.isoformat(),
        "amount": 10 + n % 90,
        "currency": "EUR",
        "channel": "mobile",
        "auth_method": "biometric",
        "device_id": f"device-{account}",
        "ip_address": f"192.0.2.{number}",
        "counterparty_id": f"shop-{n % 7}",
    }


def _start(plan: Plan) -> datetime:
    """So that the last transaction of an account is of yesterday, and all are of this month."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    each = plan.requests // plan.clients // plan.accounts_per_client + 1
    return midnight - timedelta(days=1) - each * STEP


async def _until_answered(client: httpx.AsyncClient, body: dict[str, Any], answers: Answers) -> None:
    while True:
        try:
            if answers.note(body["transaction_id"], await client.post("/score", json=body)):
                return
        except httpx.TransportError:
            pass
        answers.retries += 1
        await asyncio.sleep(RETRY_S)


def count(data: Path, answers: Answers, plan: Plan) -> list[str]:
    """What the file says against what the clients were told."""
    return [*_decisions(data, answers), *_effects(data), *_features(data, plan), *_audit(data), *_file(data)]


def _decisions(data: Path, answers: Answers) -> list[str]:
    rows = state.query(data, "SELECT client_id, transaction_id, verdict FROM decisions")
    stored = {row[1]: bytes(row[2]) for row in rows if row[0] == CLIENT}
    faults = [f"{len(rows)} decisions for {len(stored)} transactions"] if len(rows) != len(stored) else []
    for transaction_id, given in answers.by_id.items():
        verdict = stored.get(transaction_id)
        if verdict is None:
            faults.append(f"{transaction_id}: answered, and lost")
        elif set(given) != {verdict}:
            faults.append(f"{transaction_id}: {len({*given, verdict})} different verdicts")
    return faults + [f"{name}: decided, and nobody asked" for name in stored.keys() - answers.by_id.keys()]


def _effects(data: Path) -> list[str]:
    """One count of the profile, one event and one record for each decision."""
    checks = {
        "decisions without exactly one activity": (
            "SELECT count(*) FROM (SELECT d.id FROM decisions d LEFT JOIN activity a ON a.id = d.id"
            " GROUP BY d.id HAVING count(a.id) != 1)"
        ),
        "activities without a decision": "SELECT count(*) FROM activity WHERE id NOT IN (SELECT id FROM decisions)",
        "decisions without exactly one record": (
            "SELECT count(*) FROM (SELECT d.id FROM decisions d LEFT JOIN scored_events s"
            " ON s.client_id = d.client_id AND s.transaction_id = d.transaction_id GROUP BY d.id"
            " HAVING count(s.rowid) != 1)"
        ),
        "records beyond the decisions": (
            "SELECT (SELECT count(*) FROM scored_events) - (SELECT count(*) FROM decisions)"
        ),
        "events beyond the decisions": (
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0)"
            " - (SELECT count(*) FROM decisions)"
            " - (SELECT count(*) FROM audit_records WHERE kind <> 'transaction.scored')"
        ),
        "decisions to challenge without exactly one challenge": (
            "SELECT count(*) FROM (SELECT s.rowid FROM scored_events s LEFT JOIN challenges c"
            " ON c.client_id = s.client_id AND c.transaction_id = s.transaction_id"
            " WHERE s.decision = 'CHALLENGE' GROUP BY s.rowid HAVING count(c.id) != 1)"
        ),
        "challenges beyond the decisions to challenge": (
            "SELECT (SELECT count(*) FROM challenges)"
            " - (SELECT count(*) FROM scored_events WHERE decision = 'CHALLENGE')"
        ),
        "accounts with too many codes": "SELECT count(*) FROM code_sends WHERE json_array_length(times) > 3",
        "dead letters": "SELECT count(*) FROM dead_letters",
    }
    found = {name: state.query(data, statement)[0][0] for name, statement in checks.items()}
    return [f"{number} {name}" for name, number in found.items() if number]


def _audit(data: Path) -> list[str]:
    """The chain is whole, and its objects hold each decision once."""
    try:
        proof = prove(data / "audit", show=False)
    except AssayError as error:
        return [str(error)]
    decisions = state.query(data, "SELECT client_id, transaction_id FROM decisions")
    faults = [] if proof.broken is None else [str(proof.broken)]
    recorded = held(data / "audit", "transaction.scored")
    if sorted(recorded) != sorted(decisions):
        faults.append(f"{len(recorded)} audit records are not those of the {len(decisions)} decisions")
    return faults


def _features(data: Path, plan: Plan) -> list[str]:
    """Each account's transactions saw themselves counted as the first, the second, and so on."""
    counted: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for (body,) in state.query(data, "SELECT body FROM scored_events"):
        event = json.loads(body)
        transaction = event["transaction"]
        seen = event["features"]["account_tx_count_30d"]
        counted[transaction["account_id"]].append((transaction["occurred_at"], seen))
    faults = []
    for account, seen in counted.items():
        numbers = [number for _, number in sorted(seen)]
        if numbers != [float(n + 1) for n in range(len(numbers))]:
            faults.append(f"{account}: counted {numbers}")
    expected = plan.clients * plan.accounts_per_client
    return faults if len(counted) == expected else [*faults, f"{len(counted)} accounts of {expected}"]


def _file(data: Path) -> list[str]:
    found = [row[0] for row in state.query(data, "PRAGMA integrity_check")]
    broken = len(state.query(data, "PRAGMA foreign_key_check"))
    return ([] if found == ["ok"] else [f"integrity: {found}"]) + ([f"{broken} broken references"] if broken else [])
