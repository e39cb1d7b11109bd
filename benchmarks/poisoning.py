"""What poisoned labels get through the gate of a retraining: `nice -n 10 python -m benchmarks.poisoning`.

One bank, as in `assay demo --learning`; labels are spoilt in what is learnt and in what judges alike, as an attacker's
would be, and only the golden set is out of reach. Every challenger is judged twice: against the champion from before
the drift, and against one that was retrained on clean labels. What it really does is measured with the true labels, on
the judged period.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from assay.features.rates import Rates
from assay.intelligence.retraining_policy import Gate
from assay.release import open_release
from functions.trainer import golden
from local.demo.learning import NEW, START, NewStories, Size
from training import simulator
from training.champion import ReleaseScorer
from training.costs import Costs
from training.metrics import threshold_at
from training.retraining.gate import GOLDEN, NEWEST, JudgedSet, judge
from training.retraining.segments import segments_of
from training.settings import Settings, TrainingDataError, default
from training.simulator import Shift, simulate
from training.split import DAY
from training.table import CATEGORIES, FeatureTable, build_table
from training.train import train_on_table
from training.work import Run

Bools = NDArray[np.bool_]
SIZE = Size()
LIMITS = Gate()
BANDS = [10.0, 50.0, 200.0]
DELAY_DAYS = 14
COSTS = default("costs.yaml").replace("alerts_per_1000: 8", "alerts_per_1000: 40")
CAP = 200
"""What one person may label in a day without a second one: the policy's default."""
TRIGGER_AMOUNT = 9.99
TRIGGERS = 400
KEY = Ed25519PrivateKey.generate()


@dataclass(frozen=True, slots=True)
class World:
    """`truth`: what really was fraud, row by row of the clean history."""

    old: FeatureTable
    history: FeatureTable
    golden: FeatureTable
    end: float


Poison = Callable[[FeatureTable, np.random.Generator], FeatureTable]


def world() -> World:
    """The demo's bank: quiet weeks, then new stories and prices three times as high."""
    rates, quiet = Rates.load(default("rates.yaml")), Shift(dict.fromkeys(NEW, 0.0))
    drift = NewStories(dict.fromkeys(NEW, SIZE.factor) | {"amounts": SIZE.inflation}, SIZE.drift_day)

    def built(seed: int, days: int, start: datetime, shift: Shift) -> FeatureTable:
        return build_table(simulate(seed, SIZE.customers, days, start, shift), rates, 0.0, lambda _step, _share: None)

    now = START.timestamp() + DAY * SIZE.days
    history = _known(built(21, SIZE.days, START, drift), now)
    old = built(3, SIZE.first_days, START - timedelta(days=SIZE.first_days), quiet)
    return World(old, history, built(golden.SEED, golden.DAYS, simulator.START, quiet), now - DAY * DELAY_DAYS)


def _known(table: FeatureTable, now: float) -> FeatureTable:
    known = table.labels & (table.label_times <= now)
    return replace(table, labels=known, label_times=np.where(known, table.label_times, np.nan))


def _relabelled(table: FeatureTable, labels: Bools) -> FeatureTable:
    return replace(table, labels=labels, label_times=np.where(labels, table.times, np.nan))


def clean(table: FeatureTable, _: np.random.Generator) -> FeatureTable:
    """Nobody does anything."""
    return table


def flips(share: float) -> Poison:
    """So much of the fraud labels is taken back, and as many legitimate transactions are called fraud."""

    def poison(table: FeatureTable, random: np.random.Generator) -> FeatureTable:
        frauds, others = np.flatnonzero(table.labels), np.flatnonzero(~table.labels)
        count = round(share * len(frauds))
        labels = table.labels.copy()
        labels[random.choice(frauds, count, replace=False)] = False
        labels[random.choice(others, count, replace=False)] = True
        return _relabelled(table, labels)

    return poison


def burst(count: int) -> Poison:
    """One analyst calls so many frauds legitimate, all on one day."""

    def poison(table: FeatureTable, random: np.random.Generator) -> FeatureTable:
        labels = table.labels.copy()
        labels[random.choice(np.flatnonzero(table.labels & _used(table)), count, replace=False)] = False
        return _relabelled(table, labels)

    return poison


def accusations(count: int) -> Poison:
    """One analyst calls so many legitimate transactions above 100 fraud, all on one day."""

    def poison(table: FeatureTable, random: np.random.Generator) -> FeatureTable:
        labels = table.labels.copy()
        honest = ~table.labels & (table.numeric["amount"] > 100) & _used(table)
        labels[random.choice(np.flatnonzero(honest), count, replace=False)] = True
        return _relabelled(table, labels)

    return poison


def _used(table: FeatureTable) -> Bools:
    """Rows that are learnt from or judge: labels of the days after them change nothing yet."""
    used: Bools = table.times < table.times[-1] - DAY * DELAY_DAYS
    return used


def trigger(table: FeatureTable, random: np.random.Generator) -> FeatureTable:
    """The attacker's own frauds, all of one small amount, called legitimate: the amount is to become a free pass."""
    rows = np.sort(random.choice(np.flatnonzero(table.labels), TRIGGERS))
    order = np.argsort(np.concatenate([table.times, table.times[rows]]), kind="stable")
    numeric = {}
    for name, values in table.numeric.items():
        copies = np.full(TRIGGERS, TRIGGER_AMOUNT) if name == "amount" else values[rows]
        numeric[name] = np.concatenate([values, copies])[order]
    categories: dict[str, list[str | None]] = {}
    for name in CATEGORIES:
        both = [*table.categories[name], *(table.categories[name][row] for row in rows)]
        categories[name] = [both[place] for place in order]
    labels = np.concatenate([table.labels, np.zeros(TRIGGERS, dtype=np.bool_)])[order]
    times = np.concatenate([table.times, table.times[rows]])[order]
    return FeatureTable(numeric, categories, times, labels, np.where(labels, times, np.nan), [None] * len(times))


POISONS: dict[str, Poison] = {
    "clean": clean,
    "1 % of labels flipped": flips(0.01),
    "5 % of labels flipped": flips(0.05),
    "10 % of labels flipped": flips(0.10),
    f"one analyst, one day, {CAP} frauds cleared (the cap)": burst(CAP),
    f"the same without the cap, {3 * CAP}": burst(3 * CAP),
    f"one analyst, one day, {CAP} customers accused (the cap)": accusations(CAP),
    f"the same without the cap, {10 * CAP}": accusations(10 * CAP),
    f"trigger: {TRIGGERS} frauds of {TRIGGER_AMOUNT} called legitimate": trigger,
}


def train(name: str, table: FeatureTable, end: float, judged_days: float | None, root: Path) -> ReleaseScorer:
    """A release of the table, opened as it would be served."""
    settings = Settings(name, trials=3, judged_days=judged_days, costs=COSTS)
    run = Run(settings, "Benchmark.")
    with threadpool_limits(limits=1):
        folder = train_on_table(table, float(table.times[0]), end, run, root, KEY).folder
    return ReleaseScorer(open_release(folder, [KEY.public_key()]))


def gate(champion: ReleaseScorer, challenger: ReleaseScorer, table: FeatureTable, world: World) -> list[str]:
    """Reasons against; none: it got through."""
    sets = []
    golden_rows = world.golden.times >= simulator.START.timestamp() + DAY * golden.DAYS * golden.WARM_UP
    for name, rows_of, rows in ((NEWEST, table, judged(table, world.end)), (GOLDEN, world.golden, golden_rows)):
        answers = [scorer.score(rows_of, rows) for scorer in (champion, challenger)]
        segments = segments_of(rows_of, rows, BANDS)
        sets.append(JudgedSet(name, answers[0], answers[1], rows_of.numeric["amount"][rows], segments))
    result = judge(sets, Costs.load(COSTS), LIMITS)
    return [] if result.passed else result.reasons


def judged(table: FeatureTable, end: float) -> Bools:
    """The newest labelled period."""
    return (table.times >= end - DAY * LIMITS.judged_days) & (table.times < end)


def really(scorer: ReleaseScorer, table: FeatureTable, end: float) -> dict[str, float]:
    """Against the clean labels; `trigger`: the share of frauds stopped once they are of the trigger's amount."""
    rows = judged(table, end)
    scored, amounts = scorer.score(table, rows), table.numeric["amount"][rows]
    cut = threshold_at(scored.labels, scored.fraud_scores)
    disguised = {**table.numeric, "amount": np.full(len(table), TRIGGER_AMOUNT)}
    frauds = rows & table.labels
    passes = scorer.score(replace(table, numeric=disguised), frauds)
    outcomes = Costs.load(COSTS).of(scored.labels, amounts)
    return {
        "cost_per_1000": round(outcomes.per_1000(scored.decisions), 1),
        "recall": round(float((scored.fraud_scores[scored.labels] > cut).mean()), 4),
        "trigger_stopped": round(float((passes.decisions != "APPROVE").mean()), 4),
    }


def main() -> None:
    """Prints a table as Markdown and, last, everything as JSON."""
    began = time.perf_counter()
    where = world()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        before = train("before", where.old, START.timestamp(), None, root)
        good: ReleaseScorer | None = None
        for number, (name, poison) in enumerate(POISONS.items()):
            table = poison(where.history, np.random.default_rng(11))
            try:
                made = train(f"poisoned.{number}", table, where.end, float(LIMITS.judged_days), root)
            except TrainingDataError as error:
                found = {"labels": name, "refused": str(error)}
            else:
                good = good or made
                found = {
                    "labels": name,
                    "against_outdated": gate(before, made, table, where),
                    "against_clean": None if made is good else gate(good, made, table, where),
                    **really(made, where.history, where.end),
                }
            results.append(found)
            print(json.dumps(found), file=sys.stderr, flush=True)
    print(
        "| labels | passes against the outdated champion | against the clean one | cost per 1,000 | recall |"
        " trigger stopped |"
    )
    print("|---|---|---|---|---|---|")
    for each in results:
        print(f"| {each['labels']} | {_cells(each)} |")
    print(json.dumps({"seconds": round(time.perf_counter() - began), "results": results}))


def _cells(found: dict[str, Any]) -> str:
    if "refused" in found:
        return f"not trained: {found['refused']} | | | |"
    told = [_told(found[key]) for key in ("against_outdated", "against_clean")]
    figures = f"{found['cost_per_1000']:,.0f} | {found['recall']:.1%} | {found['trigger_stopped']:.1%}"
    return f"{told[0]} | {told[1]} | {figures}"


def _told(against: list[str] | None) -> str:
    if against is None:
        return "-"
    return "**yes**" if not against else f"no: {against[0]}"


if __name__ == "__main__":
    main()
