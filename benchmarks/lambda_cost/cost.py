"""From what verdicts used to what a million of them cost."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.lambda_cost import prices
from benchmarks.lambda_cost.deployment import Usage

MILLION = 1_000_000
ORCHESTRATOR = "orchestrator"
ROUNDS = 9
"""Calls a verdict waits for, one after the other: find, reserve, read, stand-in account, frozen account, labels,
commit, publish, forget."""
ROUND_MS = 5.0
"""Assumed, not measured: of DynamoDB and SNS, from a function in the same region."""


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars for a million verdicts, by what is paid for."""

    compute: float
    requests: float
    api: float
    tables: float
    events: float
    logs: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.compute + self.requests + self.api + self.tables + self.events + self.logs


def of(usage: Usage, memory_mb: int) -> Cost:
    """Storage, provisioned concurrency and what runs by a schedule are not in it."""
    invocations = {name: len(billed) / usage.verdicts for name, billed in usage.billed_ms.items()}
    milliseconds = {name: sum(billed) / usage.verdicts for name, billed in usage.billed_ms.items()}
    for name, moto_ms in usage.moto_ms.items():
        rounds = ROUNDS if name == ORCHESTRATOR else usage.rounds[name]
        milliseconds[name] += invocations[name] * (rounds * ROUND_MS - moto_ms)
    seconds = sum(milliseconds.values()) / 1000
    batches = sum(invocations[name] for name in usage.consumers)
    per_verdict = {name: count / usage.verdicts for name, count in usage.calls.items()}
    puts = per_verdict.get("s3_puts", 0.0)
    sqs = 3 * batches  # receive and delete, and one poll in vain
    return Cost(
        compute=MILLION * seconds * memory_mb / 1024 * prices.LAMBDA_GB_SECOND,
        requests=sum(invocations.values()) * prices.LAMBDA_REQUESTS,
        api=prices.HTTP_API_REQUESTS,
        tables=per_verdict["writes"] * prices.DYNAMODB_WRITES + per_verdict["reads"] * prices.DYNAMODB_READS,
        events=per_verdict["sns_publishes"] * prices.SNS_PUBLISHES + sqs * prices.SQS_REQUESTS + puts * prices.S3_PUTS,
        logs=usage.log_bytes / usage.verdicts * MILLION / 1e9 * prices.LOGS_GB,
    )
