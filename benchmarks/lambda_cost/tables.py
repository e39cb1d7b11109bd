"""The tables, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.lambda_cost import prices
from benchmarks.lambda_cost.cost import ORCHESTRATOR, ROUND_MS, ROUNDS, Cost
from benchmarks.lambda_cost.deployment import Usage

Runs = Mapping[tuple[str, int], Usage]
FACTS = ("date", "commit", "cpu", "cores", "load_average_before", "python")
INTRODUCTION = """# Cost and cold start of the functions' own containers

Written by `make bench-lambda`: each function's image under Lambda's runtime interface emulator, with the share of a
processor that its memory buys (1769 MB = one), calling each other through Lambda's Invoke API; DynamoDB, SNS and S3
imitated by moto on the same machine. Billed milliseconds are the emulator's durations, each rounded up. moto is far
slower than what it imitates (50 ms and more for a transaction), so its time, which is measured, is taken out of the
orchestrator's and the consumers', and calls of {round_ms:.0f} ms each, which are **assumed**, are put in its place:
{rounds} for a verdict, and as many as there were for a batch of a consumer."""


def document(runs: Runs, costs: Mapping[tuple[str, int], Cost], machine: Mapping[str, Any]) -> str:
    """The whole result file."""
    facts = [
        f"- {name}: {machine[name]}" for name in ("date", "commit", "cpu", "cores", "load_average_before", "python")
    ]
    parts = [
        INTRODUCTION.format(rounds=ROUNDS, round_ms=ROUND_MS),
        "\n".join(facts),
        "## US dollars per million verdicts\n\n" + _costs(costs),
        _arithmetic(runs),
        "## What a verdict used\n\nMilliseconds; of stages and consumers together.\n\n" + _usage(runs),
        "## First invocation of a new container, seconds\n\n"
        "From outside: start of the process, imports, release from the registry, the call.\n\n" + _starts(runs),
    ]
    return "\n\n".join(parts) + "\n"


def _costs(costs: Mapping[tuple[str, int], Cost]) -> str:
    head = ("topology", "MB", "compute", "requests", "HTTP API", "DynamoDB", "SNS, SQS, S3", "logs", "total")
    rows = [
        (name, str(memory), *(f"{amount:.2f}" for amount in (cost.compute, cost.requests, cost.api, cost.tables)),
         f"{cost.events:.2f}", f"{cost.logs:.2f}", f"**{cost.total:.2f}**")
        for (name, memory), cost in costs.items()
    ]  # fmt: skip
    return _table(head, rows)


def _arithmetic(runs: Runs) -> str:
    usage = next(iter(runs.values()))
    calls = {name: count / usage.verdicts for name, count in usage.calls.items()}
    lines = (
        f"compute: sum of the functions' billed ms / 1000 x memory / 1024 x ${prices.LAMBDA_GB_SECOND} a GB-second",
        f"requests: invocations x ${prices.LAMBDA_REQUESTS:.2f} a million",
        f"HTTP API: ${prices.HTTP_API_REQUESTS:.2f} a million",
        f"DynamoDB: {calls['writes']:.1f} write units x ${prices.DYNAMODB_WRITES} a million + "
        f"{calls['reads']:.1f} read units x ${prices.DYNAMODB_READS} a million, counted from the calls",
        f"SNS ${prices.SNS_PUBLISHES:.2f} a million, SQS ${prices.SQS_REQUESTS:.2f} a million (three a batch of "
        f"{prices.SQS_BATCH}), S3 ${prices.S3_PUTS:.2f} a million puts",
        f"logs: {usage.log_bytes / usage.verdicts:,.0f} bytes a verdict x ${prices.LOGS_GB:.2f} a GB",
        "not in it: storage, what runs by a schedule (sweeper, deliveries, looks), provisioned concurrency, backups",
        f"prices: {prices.SOURCE}; US East, on demand, no free tier, {prices.DATE}",
    )
    return "\n".join(f"- {line}" for line in lines)


def _usage(runs: Runs) -> str:
    head = (
        "topology",
        "MB",
        "orchestrator billed ms",
        "without moto",
        "stages, sum",
        "consumers",
        "batches",
    )
    return _table(head, [(name, str(memory), *_times(usage)) for (name, memory), usage in runs.items()])


def _times(usage: Usage) -> tuple[str, ...]:
    stages = [
        sum(billed) / usage.verdicts
        for name, billed in usage.billed_ms.items()
        if name != ORCHESTRATOR and name not in usage.consumers
    ]
    batches = {name: len(usage.billed_ms[name]) for name in usage.consumers}
    consumers = sum(sum(usage.billed_ms[name]) - batches[name] * usage.moto_ms.get(name, 0.0) for name in batches)
    orchestrator = fmean(usage.billed_ms[ORCHESTRATOR])
    return (
        f"{orchestrator:.1f}",
        f"{orchestrator - usage.moto_ms[ORCHESTRATOR]:.1f}",
        f"{sum(stages):.1f}",
        f"{consumers / usage.verdicts:.1f}",
        f"{sum(batches.values()) / usage.verdicts:.2f}",
    )


def _starts(runs: Runs) -> str:
    functions = sorted({name for usage in runs.values() for name in usage.first_s})
    rows = [
        (name, str(memory), *(f"{usage.first_s[f]:.2f}" if f in usage.first_s else "-" for f in functions))
        for (name, memory), usage in runs.items()
    ]
    return _table(("topology", "MB", *functions), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---" if column == 0 else "---:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ruler, *rows))
