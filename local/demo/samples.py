"""The demo's first part: the samples of `events/`, each with what must come back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

EVENTS = Path(__file__).resolve().parents[2] / "events"


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, and the verdicts that are right for it."""

    file: str
    expected: frozenset[str]
    early_exit: bool = False


SAMPLES = (
    Sample("score_genuine.json", frozenset({"APPROVE"})),
    Sample("score_risky.json", frozenset({"CHALLENGE"})),
    Sample("score_blocked.json", frozenset({"DECLINE"}), early_exit=True),
    Sample("score_flat_genuine.json", frozenset({"APPROVE"})),
    Sample("score_flat_blocked.json", frozenset({"DECLINE"}), early_exit=True),
)


def score_samples(client: httpx.Client, console: Console) -> list[str]:
    """Scores every sample, prints the table, returns what was not as it must be."""
    table = Table("sample", "verdict", "confidence", "fraud score", "models", "why", title="Samples of events/")
    faults: list[str] = []
    for sample in SAMPLES:
        answer = client.post("/score", json=json.loads((EVENTS / sample.file).read_text()))
        if answer.status_code != 200:
            faults.append(f"{sample.file}: HTTP {answer.status_code} {answer.text}")
            continue
        verdict = answer.json()
        faults.extend(_check(sample, verdict))
        table.add_row(*_row(sample, verdict))
    console.print(table)
    faults.extend(_refusals(client, console))
    return faults


def _check(sample: Sample, verdict: dict[str, Any]) -> list[str]:
    faults = []
    if verdict["decision"] not in sample.expected:
        faults.append(f"{sample.file}: {verdict['decision']}, expected {' or '.join(sorted(sample.expected))}")
    if verdict["is_early_exit"] is not sample.early_exit:
        faults.append(f"{sample.file}: is_early_exit is {verdict['is_early_exit']}")
    if sample.early_exit and verdict["fraud_score"] is not None:
        faults.append(f"{sample.file}: the models were called")
    if verdict["degraded"]:
        faults.append(f"{sample.file}: degraded, {verdict['degraded']}")
    return faults


def _row(sample: Sample, verdict: dict[str, Any]) -> tuple[str, ...]:
    score = verdict["fraud_score"]
    return (
        sample.file.removesuffix(".json"),
        verdict["decision"],
        verdict["confidence"],
        "-" if score is None else f"{score:.4f}",
        "skipped" if verdict["is_early_exit"] else "called",
        "\n".join(reason["analyst_text"] for reason in verdict["reasons"]) or "-",
    )


def _refusals(client: httpx.Client, console: Console) -> list[str]:
    """Bad input must be refused with the field named, and its value kept out of the answer."""
    faults = []
    for path in sorted((EVENTS / "invalid").glob("score_*.json")):
        headers = {"Content-Type": "application/json"}
        answer = client.post("/score", content=path.read_bytes(), headers=headers)
        console.print(f"[dim]{path.stem}: HTTP {answer.status_code}, {answer.json().get('detail')}[/dim]")
        if not 400 <= answer.status_code < 500:
            faults.append(f"{path.name}: HTTP {answer.status_code}")
    return faults
