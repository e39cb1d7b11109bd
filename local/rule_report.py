"""What labels say of the rules, as tables for a terminal."""

from __future__ import annotations

from rich.table import Table

from functions.post_auth_intelligence.rule_feedback import RuleFeedback
from local.console import wide_console


def print_rules(report: RuleFeedback) -> None:
    """One table for the rules, one for the thresholds of the score."""
    console = wide_console()
    console.print(f"{report.labelled} labelled: {report.frauds} fraud, {report.legitimate} legitimate")
    rules = _table("rule", "fired", "frauds", "false positives", "precision", "recall", "only this rule")
    for row in report.rules:
        counts = (row.fired, row.frauds, row.false_positives)
        shares = (shown(row.precision), shown(row.recall))
        rules.add_row(row.id, *map(str, counts), *shares, str(row.unique_frauds))
    console.print(rules)
    scores = _table("fraud score from", "frauds", "false positives", "precision", "recall")
    for at in report.thresholds:
        shares = (shown(at.precision), shown(at.recall))
        scores.add_row(f"{at.fraud_score:.2f}", str(at.frauds), str(at.false_positives), *shares)
    console.print(scores)


def shown(share: float | None) -> str:
    """A share as people read it; a dash where there is none."""
    return "-" if share is None else f"{share:.1%}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    return table
