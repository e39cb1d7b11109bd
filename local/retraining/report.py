"""What came of a retraining, shown to people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from functions.trainer.report import Retraining
from training.retraining.gate import SetResult
from training.retraining.shadow import Comparison


def show(report: Retraining) -> None:
    """For people."""
    console = Console()
    if report.gate is not None:
        for each in report.gate.sets:
            console.print(_set_table(each, report))
    if report.shadow is not None:
        show_shadow(report.shadow)
    made = f" {report.version}" if report.version else ""
    console.print(f"{report.outcome.replace('_', ' ')}{made} (champion was {report.champion})")
    for reason in report.reasons:
        console.print(f"  {reason}", markup=False)


def _set_table(each: SetResult, report: Retraining) -> Table:
    title = f"Gate: {each.name}, {each.rows:,} transactions, {each.frauds} frauds"
    table = Table("", report.champion, report.version or "", "", title=title)
    first, second = each.champion, each.challenger
    bounds = f"{each.cost_difference:+,.0f} ({each.cost_low:+,.0f} to {each.cost_high:+,.0f})"
    table.add_row("cost per 1,000", f"{first.cost_per_1000:,.0f}", f"{second.cost_per_1000:,.0f}", bounds)
    table.add_row("declined", f"{first.decline_rate:.2%}", f"{second.decline_rate:.2%}", "")
    table.add_row("challenged", f"{first.challenge_rate:.2%}", f"{second.challenge_rate:.2%}", "")
    for part in each.recall:
        told = f"of {part.frauds}" + (f", [red]worse[/red], chance {part.chance:.2g}" if part.is_worse else "")
        table.add_row(f"recall, {part.segment}", f"{part.champion:.1%}", f"{part.challenger:.1%}", told)
    return table


def show_shadow(found: Comparison) -> None:
    """As a table."""
    table = Table(
        "", found.served, found.shadow, title=f"Shadow: {found.events:,} transactions that {found.served} decided"
    )
    for name, pair in (("declined", found.decline_rate), ("challenged", found.challenge_rate)):
        table.add_row(name, *(f"{share:.2%}" for share in pair))
    if found.cost_per_1000 is not None:
        table.add_row(
            f"cost per 1,000 of {found.labelled:,} labelled", *(f"{cost:,.0f}" for cost in found.cost_per_1000)
        )
    for each in found.differing:
        told = f"{each.transactions:,}: {each.fraud} fraud, {each.legitimate} legitimate, the rest unknown"
        table.add_row(told, each.served, each.shadow)
    console = Console()
    console.print(table)
    console.print(
        f"agreement {found.agreement:.2%}, score {found.score_shift:+.4f} on average, {found.score_distance:.4f} apart"
    )
