"""How hard a fresh simulated bank is, and what the champion makes of it: never the bank it was trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from assay.errors import AssayError
from assay.features.rates import Rates
from local.champion import open_champion
from local.places import Places
from training.champion import evaluate_table
from training.report import number, percent, ranked_row
from training.simulator import START, Shift, simulate
from training.split import DAY
from training.table import build_table

SHOWN_FEATURES = 5


class EvaluationError(AssayError):
    """What was asked for would not be an evaluation."""


def evaluate(places: Places, seed: int, customers: int, days: int, shift: Shift, show: bool) -> dict[str, Any]:
    """Simulates, computes features, scores with the champion. Raises AssayError, ValueError for too small a world."""
    release = open_champion(places)
    if seed == release.manifest.training.seed:
        raise EvaluationError(f"seed {seed} is the one that {release.version} was trained with: choose another")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as progress:
        bar = progress.add_task("features", total=1.0)
        rates = Rates.load(release.read("rates.yaml"))
        events = simulate(seed, customers, days, shift=shift)
        until = START.timestamp() + DAY * days
        table = build_table(events, rates, until, lambda _, share: progress.update(bar, completed=share))
        progress.update(bar, completed=1.0, description="evaluation")
        about = {"release": release.version, "seed": seed, "customers": customers, "days": days}
        return {**about, **evaluate_table(release, table)}


def run(places: Places, seed: int, customers: int, days: int, shift: Shift, as_json: bool) -> None:
    """Prints the evaluation: as tables, or as one JSON object."""
    result = evaluate(places, seed, customers, days, shift, show=not as_json)
    if as_json:
        print(json.dumps(result))
        return
    console = Console()
    console.print(
        f"Release {result['release']} on a bank it never saw (seed {seed}, {customers:,} customers, {days} days): "
        f"{result['transactions']:,} transactions, {result['frauds']} frauds, the last 40 % of the time."
    )
    for table in (_ranking(result), _stories(result), _rules(result), _decisions(result)):
        console.print(table)
    calibration = result["calibration"]
    above, chance = number(calibration["ece_above_0_1"]), number(calibration["ece_above_0_1_by_chance"])
    console.print(
        f"Expected calibration error {calibration['ece']:.4f}; over scores from 0.1 on {above}, of which chance alone "
        f"would make {chance}."
    )
    console.print(f"Cost per 1,000 transactions: {result['cost_per_1000']:,.0f} (training/defaults/costs.yaml).")


def _table(title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, name in enumerate(header):
        table.add_column(name, no_wrap=index == 0)
    for row in rows:
        table.add_row(*row)
    return table


def _ranking(result: dict[str, Any]) -> Table:
    features = list(result["difficulty"]["single_feature_roc_auc"].items())[:SHOWN_FEATURES]
    rows: list[tuple[str, ...]] = [(f"{name} alone", number(area), "", "") for name, area in features]
    rows.append(ranked_row("decision tree, depth 3", result["difficulty"]["tree_depth_3"]))
    rows.append(ranked_row("champion", result["xgboost_classifier"]))
    header = ("how hard it is", "ROC AUC", "average precision", "recall at 0.5 % false positives")
    return _table("", header, rows)


def _stories(result: dict[str, Any]) -> Table:
    rows = [
        (name, str(part["frauds"]), percent(part["recall"]), percent(part["stopped"]))
        for name, part in result["stories"].items()
    ]
    return _table("", ("story", "frauds", "recall at 0.5 % false positives", "challenged or declined"), rows)


def _rules(result: dict[str, Any]) -> Table:
    rows = [
        (
            rule,
            part["severity"],
            percent(part["share_of_legitimate"], 3),
            percent(part["share_of_fraud"], 2),
            percent(part["precision"]),
            str(part["fraud_fired"]),
        )
        for rule, part in result["rules"]["each"].items()
    ]
    blocked = percent(result["rules"]["blocked_legitimate"], 3)
    header = ("rule", "severity", "of legitimate", "of fraud", "precision", "frauds hit")
    return _table(f"Rules, after the first 15 % of the time. BLOCK: {blocked} of legitimate transactions", header, rows)


def _decisions(result: dict[str, Any]) -> Table:
    choices = ("APPROVE", "CHALLENGE", "DECLINE")
    rows = [(side, *(percent(part[choice], 2) for choice in choices)) for side, part in result["decisions"].items()]
    return _table("", ("decided", *choices), rows)
