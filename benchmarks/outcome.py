"""Runs the load generator in its own process, and what it measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.bodies import ACCOUNTS
from benchmarks.machine import ROOT

TOKEN_VARIABLE = "ASSAY_BENCH_TOKEN"


@dataclass(frozen=True)
class Outcome:
    """What one run measured. Times in ms; `throughput` counts answers of status 200 per second."""

    answered: int
    seconds: float
    throughput: float
    p50: float
    p90: float
    p99: float
    max: float
    statuses: dict[str, int]
    p99_by_status: dict[str, float]
    errors: dict[str, int]
    marks: dict[str, int]
    generator_lateness_p99: float

    def share(self, mark: str) -> float:
        """Share of the answers that carry a mark."""
        return self.marks.get(mark, 0) / max(1, self.answered)

    @property
    def failures(self) -> int:
        """Answers that are no 200, and requests without an answer."""
        return self.answered - self.statuses.get("200", 0) + sum(self.errors.values())


def generate(
    port: int,
    *,
    kind: str = "transaction",
    clients: int = 16,
    seconds: float = 5.0,
    requests: int = 20_000,
    rate: float | None = None,
    first: int = 0,
    accounts: int = ACCOUNTS,
    token: str = "",
) -> Outcome:
    """Run the generator in its own process and give its outcome. Raises RuntimeError when it fails."""
    argv = [sys.executable, "-m", "benchmarks.load", f"--port={port}", f"--kind={kind}", f"--clients={clients}"]
    argv += [f"--seconds={seconds}", f"--requests={requests}", f"--first={first}", f"--accounts={accounts}"]
    argv += [f"--rate={rate}"] if rate else []
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, TOKEN_VARIABLE: token},
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the load generator failed: {done.stderr[-800:]}")
    return Outcome(**json.loads(done.stdout))
