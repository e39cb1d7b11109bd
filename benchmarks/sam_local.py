"""Warm `POST /score` through `sam local`, every stage a container of its own: `make bench-sam-local`.

What the hops cost: the client's time, the emulator's report of the orchestrator, and the verdict's own timings of the
stages it called are laid side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import httpx

from benchmarks.bodies import transaction_bodies
from benchmarks.machine import ROOT, describe
from benchmarks.processes import free_port
from local import tokens
from local.aws.stack import Choices, LocalAws, local_aws
from local.places import Places

RESULT = ROOT / "benchmarks" / "results" / "sam_local.md"
STAGES = ("rules_engine", "models", "decision_engine")
REPORT = re.compile(r"REPORT RequestId.*?\tDuration: ([\d.]+) ms")
ACCOUNTS = 40
TEXT = """# Warm `/score` through sam local, every stage separate

Written by `make bench-sam-local`: {count} transactions, one client, after as many to warm up. The API is served by `sam
local start-api`, the stages by `sam local start-lambda`; DynamoDB and SNS are imitated by moto, which takes most of the
time. This is not AWS's latency: it is what the hops of the imitation cost.

- date: {date}
- commit: {commit}
- cpu: {cpu}, {cores} cores

| milliseconds | p50 | p99 |
| --- | ---: | ---: |
{rows}
"""


def main() -> None:
    """Needs Docker."""
    parser = argparse.ArgumentParser(prog="make bench-sam-local", description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        choices = Choices(Places(Path(folder)), free_port(), os.environ.get("ASSAY_BASE_IMAGE", ""))
        with local_aws(choices, print) as aws:
            samples = _measure(aws, count)
    rows = "\n".join(f"| {name} | {median(ms):.1f} | {quantiles(ms, n=100)[98]:.1f} |" for name, ms in samples.items())
    text = TEXT.format(count=count, rows=rows, **describe())
    print(text)
    RESULT.write_text(text, "utf-8")


def _measure(aws: LocalAws, count: int) -> dict[str, list[float]]:
    """Milliseconds by what took them."""
    headers = {
        "Authorization": f"Bearer {tokens.mint(aws.places.keys, 'bench', tokens.SCOPES, 3600)}",
        "Content-Type": "application/json",
    }
    (api,) = (child for child in aws.children if child.name == "sam-api")
    client_ms: list[float] = []
    timings: list[dict[str, float]] = []
    with httpx.Client(base_url=aws.api_url, headers=headers, timeout=60, trust_env=False) as client:
        for number, body in enumerate(transaction_bodies(2 * count, accounts=ACCOUNTS)):
            start = perf_counter()
            answer = client.post("/score", content=body)
            elapsed = 1000 * (perf_counter() - start)
            verdict = json.loads(answer.raise_for_status().content)
            if verdict["degraded"] or verdict["is_early_exit"]:
                raise RuntimeError(f"not a full verdict: {verdict}")
            if number >= count:
                client_ms.append(elapsed)
                timings.append({name: us / 1000 for name, us in verdict["timings_us"].items()})
    orchestrator = [float(found) for found in REPORT.findall(api.log.read_text(errors="replace"))][-count:]
    return {
        "the client's": client_ms,
        "sam's gateway": [outer - inner for outer, inner in zip(client_ms, orchestrator, strict=True)],
        "the orchestrator's container": orchestrator,
        "of it: profile (DynamoDB)": [timing["profile"] for timing in timings],
        **{f"of it: {stage}, call and answer": [timing[stage] for timing in timings] for stage in STAGES},
    }


if __name__ == "__main__":
    main()
