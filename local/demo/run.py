"""`assay demo`: the whole product once, from an empty data folder, checked as it goes."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from local.console import wide_console
from local.demo.actions import show_actions
from local.demo.samples import score_samples
from local.demo.stream import Outcome, Scored, notable, score_stream
from local.places import Places
from local.server_process import running_server
from local.tokens import SCOPES, mint

TOKEN_LIFE_S = 3600


def run(transactions: int) -> int:
    """Prints what happens; returns 0 when everything was as it must be, else 1."""
    console = wide_console()
    with tempfile.TemporaryDirectory(prefix="assay-demo-") as folder:
        data = Path(folder)
        headers = {"Authorization": f"Bearer {mint(data / 'keys', 'demo', SCOPES, TOKEN_LIFE_S)}"}
        with running_server(data) as address:
            console.print(f"Assay answers on {address}\n")
            with httpx.Client(base_url=address, headers=headers) as client:
                faults = score_samples(client, console) + show_actions(client, Places(data), console)
                outcome = score_stream(address, headers, transactions, console)
                faults += outcome.faults[:10] + _check(client, outcome, transactions)
    _show(outcome, console)
    for fault in faults:
        console.print(f"[red]not as it must be:[/red] {fault}")
    console.print("[green]all as it must be[/green]" if not faults else f"[red]{len(faults)} faults[/red]")
    return 1 if faults else 0


def _check(client: httpx.Client, outcome: Outcome, transactions: int) -> list[str]:
    faults = []
    if len(outcome.scored) != transactions:
        faults.append(f"{len(outcome.scored)} of {transactions} transactions were scored")
    frauds = [item for item in outcome.scored if item.transaction.label]
    honest = [item for item in outcome.scored if not item.transaction.label]
    if not frauds or _share(frauds, "APPROVE") >= _share(honest, "APPROVE"):
        faults.append("frauds are approved as often as honest transactions")
    for item in outcome.scored[-3:]:
        again = client.get(f"/decisions/{item.transaction.transaction_id}")
        if again.status_code != 200 or again.json() != item.verdict:
            faults.append(f"{item.transaction.transaction_id}: the stored verdict is another one")
    return faults


def _show(outcome: Outcome, console: Console) -> None:
    table = Table("transaction", "amount", "truth", "verdict", "score", "ms", "why", title="Some of the stream")
    for item in notable(outcome.scored, 4):
        table.add_row(*_row(item))
    console.print(table)
    columns = ("transactions", "of frozen accounts", "the rest: APPROVE", "CHALLENGE", "DECLINE")
    summary = Table("truth", *columns, title="Verdicts against the labels")
    for truth, label in (("honest", False), ("fraud", True)):
        items = [item for item in outcome.scored if item.transaction.label is label]
        free = [item for item in items if item.verdict["triggered_by"] != "DENY_LIST"]
        counts = Counter(item.verdict["decision"] for item in free)
        shares = [f"{counts[d]} ({_share(free, d):.1%})" for d in ("APPROVE", "CHALLENGE", "DECLINE")]
        summary.add_row(truth, str(len(items)), str(len(items) - len(free)), *shares)
    console.print(summary)
    console.print(
        "[dim]A freeze lasts a day. The stream is weeks long and takes seconds, so no freeze ends in it.[/dim]"
    )
    latencies = sorted(item.latency_ms for item in outcome.scored) or [0.0]
    p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    console.print(
        f"{len(outcome.scored)} transactions in {outcome.seconds:.1f} s, as this client saw them: "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (its own work included; `make bench` measures the server)"
    )


def _row(item: Scored) -> tuple[str, ...]:
    transaction, verdict = item.transaction, item.verdict
    score = verdict["fraud_score"]
    why = [reason["analyst_text"] for reason in verdict["reasons"][:2]]
    return (
        transaction.transaction_id,
        f"{transaction.amount:,.2f} {transaction.currency}",
        transaction.story or "honest",
        verdict["decision"],
        "-" if score is None else f"{score:.3f}",
        f"{item.latency_ms:.1f}",
        "\n".join(why) or "-",
    )


def _share(items: list[Scored], decision: str) -> float:
    return sum(item.verdict["decision"] == decision for item in items) / len(items) if items else 0.0
