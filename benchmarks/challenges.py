"""Answering challenges over HTTP: the right code, and a wrong one; how soon the code is there after the verdict."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks import product
from benchmarks.figures import Figure, Settings
from benchmarks.processes import HOST
from benchmarks.timing import median, percentile
from local.tokens import SCOPES, mint

EVENTS = Path(__file__).resolve().parents[1] / "events"
PATIENCE_S = 30.0
PAUSE_S = 0.005


def measure(settings: Settings) -> list[Figure]:
    """Medians and 99th percentiles, one request at a time on one connection."""
    times = settings.pick(400, 40)
    with product.working_folder() as folder, product.server(folder) as server:
        data = folder / "data"
        headers = {"Authorization": f"Bearer {mint(data / 'keys', 'bench', SCOPES, product.TOKEN_SECONDS)}"}
        with httpx.Client(base_url=f"http://{HOST}:{server.port}", headers=headers) as client:
            wrong: list[float] = []
            right: list[float] = []
            sent: list[float] = []
            for number in range(times):
                body, challenge = challenged(client, number)
                code, waited = read_code(data, body["account_id"])
                sent.append(waited)
                wrong.append(verified(client, challenge, body, f"{(int(code) + 1) % 1_000_000:06d}", 422))
                right.append(verified(client, challenge, body, code, 200))
        sync = product.sync_cost_ms(folder)
    note = f"{times} challenges, an fsync here takes {sync:.2f} ms"
    return [
        Figure("challenges", "verify, right code, p50", median(right), "ms", 5, "<=", "", note),
        Figure("challenges", "verify, right code, p99", percentile(right, 0.99), "ms"),
        Figure("challenges", "verify, wrong code, p50", median(wrong), "ms", 5),
        Figure("challenges", "verify, wrong code, p99", percentile(wrong, 0.99), "ms"),
        Figure("challenges", "from the verdict to the code in the mailbox, p50", median(sent), "ms"),
    ]


def challenged(client: httpx.Client, number: int) -> tuple[dict[str, Any], str]:
    """A transaction that needs a step-up (a new device, an unusual amount), and the id of its challenge."""
    own = {"transaction_id": f"challenge-{number}", "account_id": f"acct-{number}", "device_id": f"phone-{number}"}
    body = {**json.loads((EVENTS / "score_risky.json").read_text()), **own}
    verdict = client.post("/score", json=body).json()
    if verdict.get("decision") != "CHALLENGE":
        raise RuntimeError(f"not a challenge: {verdict}")
    return body, verdict["challenge"]["id"]


def read_code(data: Path, account: str) -> tuple[str, float]:
    """The account's code, and the ms until it was there."""
    start = time.perf_counter()
    while time.perf_counter() - start < PATIENCE_S:
        for file in (data / "mailbox" / "codes").glob(f"{account}.*.txt"):
            return file.read_text().partition("Code: ")[2][:6], (time.perf_counter() - start) * 1000
        time.sleep(PAUSE_S)
    raise RuntimeError(f"no code for {account}")


def verified(client: httpx.Client, challenge: str, body: dict[str, Any], code: str, status: int) -> float:
    """Milliseconds of one try."""
    names = ("account_id", "amount", "currency", "counterparty_id")
    content = json.dumps({**{name: body[name] for name in names}, "code": code})
    start = time.perf_counter()
    answer = client.post(
        f"/challenges/{challenge}/verify", content=content, headers={"Content-Type": "application/json"}
    )
    spent = (time.perf_counter() - start) * 1000
    if answer.status_code != status:
        raise RuntimeError(f"HTTP {answer.status_code}: {answer.text}")
    return spent
