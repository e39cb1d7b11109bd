"""What poisoned labels get through the gate of a retraining: `nice -n 10 python -m benchmarks.poisoning`.

Banks as in `assay demo --learning`; labels are spoilt in what is learnt and in what judges alike, as an attacker's
would be, and only the golden set is out of reach. Every challenger is judged against the champion from before the drift
and against one that was retrained on clean labels; so are challengers from clean labels and other seeds, which says
what a refusal is worth. The labels are looked at as a retraining does (`label_audit`), and so are those of more banks
that nobody poisons. What a challenger really does is measured with the true labels, on the judged period.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from assay.features.rates import Rates
from assay.intelligence.retraining_policy import Gate, Labels
from benchmarks import machine, poisoning_report
from benchmarks.poisoning_models import Anomalies, Challenger, learn
from benchmarks.poisons import POISONS, TRIGGER_AMOUNT, Bank, labelled
from functions.trainer import golden
from local.champion import open_champion
from local.demo.learning import NEW, NewStories, Size
from local.places import Places
from training import simulator
from training.champion import ReleaseScorer
from training.costs import Costs
from training.evaluate import Scored
from training.metrics import threshold_at
from training.retraining.gate import GOLDEN, NEWEST, JudgedSet, judge
from training.retraining.label_audit import audit
from training.retraining.segments import segments_of
from training.settings import TrainingDataError, default
from training.simulator import NO_SHIFT, Shift, simulate
from training.split import DAY
from training.table import FeatureTable, build_table

SIZE = Size()
LIMITS, LABELS = Gate(), Labels()
BANDS = [10.0, 50.0, 200.0]
DELAY_DAYS = 14
JUDGED_DAYS = float(LIMITS.judged_days)
COSTS = default("costs.yaml").replace("alerts_per_1000: 8", "alerts_per_1000: 40")
SEED = 7
CONTROLS = (8, 9, 10, 11, 12)
"""Seeds of further trainings on clean labels; the release of the first is the champion that is up to date."""
Scorer = Challenger | ReleaseScorer


@dataclass(frozen=True, slots=True)
class World:
    """A simulated bank; with `drifts`, new stories and higher prices after a month, else as it always was."""

    seed: int
    customers: int
    days: int
    start: datetime
    drifts: bool = True
    controls: int = len(CONTROLS)

    @property
    def end(self) -> float:
        """Labels of what is later are still on their way."""
        return self.start.timestamp() + DAY * (self.days - DELAY_DAYS)

    def history(self) -> FeatureTable:
        """With the labels that are known on the last day."""
        drift = NewStories(dict.fromkeys(NEW, SIZE.factor) | {"amounts": SIZE.inflation}, SIZE.drift_day)
        table = built(self.seed, self.customers, self.days, self.start, drift if self.drifts else NO_SHIFT)
        known = table.labels & (table.label_times <= self.end + DAY * DELAY_DAYS)
        return replace(table, labels=known, label_times=np.where(known, table.label_times, np.nan))

    def before(self) -> FeatureTable:
        """The quiet weeks that the outdated champion has learnt from."""
        return built(self.seed + 1_000, self.customers, SIZE.first_days, self._first, Shift(dict.fromkeys(NEW, 0.0)))

    @property
    def _first(self) -> datetime:
        return self.start - timedelta(days=SIZE.first_days)


WORLDS = (
    World(21, 900, 100, datetime(2025, 1, 1, tzinfo=UTC)),
    World(22, 900, 100, datetime(2025, 4, 1, tzinfo=UTC), controls=2),
    World(24, 1_400, 80, datetime(2025, 10, 1, tzinfo=UTC), controls=2),
)
"""The first is the demo's."""
OTHERS = tuple(
    World(first + number, customers, days, datetime(2024, 1 + number, 1, tzinfo=UTC), drifts)
    for first in (31, 131)
    for number, (customers, days, drifts) in enumerate(
        [(900, 100, True), (900, 100, False), (600, 120, True), (600, 120, False), (1_400, 80, True),
         (1_400, 80, False), (2_000, 60, True), (2_000, 60, False), (400, 180, True), (400, 180, False),
         (300, 90, True)]
    )
)  # fmt: skip
"""Nobody poisons them: does the audit keep still? Its limits were set with the first eleven in sight."""


def built(seed: int, customers: int, days: int, start: datetime, shift: Shift) -> FeatureTable:
    """A bank's features."""
    rates = Rates.load(default("rates.yaml"))
    return build_table(simulate(seed, customers, days, start, shift), rates, 0.0, lambda _step, _share: None)


@dataclass(slots=True)
class Judges:
    """What every challenger of a world meets; the packaged release is only asked about the golden set."""

    golden: FeatureTable
    outdated: Scorer
    packaged: Scorer
    end: float
    up_to_date: Scorer | None = None
    _answers: dict[int, Scored] = field(default_factory=dict)

    def against(self, champion: Scorer, challenger: Scorer, table: FeatureTable) -> list[str]:
        """Reasons of the gate, without those of the labels; none: it got through."""
        rows = (table.times >= self.end - DAY * LIMITS.judged_days) & (table.times < self.end)
        sides = [scorer.score(table, rows) for scorer in (champion, challenger)]
        newest = JudgedSet(NEWEST, sides[0], sides[1], table.numeric["amount"][rows], segments_of(table, rows, BANDS))
        return _reasons([newest, self._frozen(champion, challenger)])

    def floor(self, challenger: Scorer) -> list[str]:
        """Reasons if it must not be worse on the golden set than the packaged release, either."""
        return _reasons([self._frozen(self.packaged, challenger)])

    def _frozen(self, champion: Scorer, challenger: Scorer) -> JudgedSet:
        table = self.golden
        rows = table.times >= simulator.START.timestamp() + DAY * golden.DAYS * golden.WARM_UP
        for scorer in (champion, challenger):
            if id(scorer) not in self._answers:
                self._answers[id(scorer)] = scorer.score(table, rows)
        sides = [self._answers[id(scorer)] for scorer in (champion, challenger)]
        return JudgedSet(GOLDEN, sides[0], sides[1], table.numeric["amount"][rows], segments_of(table, rows, BANDS))


def _reasons(sets: list[JudgedSet]) -> list[str]:
    result = judge(sets, Costs.load(COSTS), LIMITS)
    return [] if result.passed else result.reasons


def measure(number: int) -> list[dict[str, Any]]:
    """Everything of one world, one entry per set of labels."""
    world = WORLDS[number]
    history, old = world.history(), world.before()
    frozen = built(golden.SEED, SIZE.customers, golden.DAYS, simulator.START, Shift(dict.fromkeys(NEW, 0.0)))
    with threadpool_limits(limits=1), tempfile.TemporaryDirectory() as folder:
        last = float(old.times[-1])
        outdated = learn(old, last, None, Costs.load(COSTS), Anomalies.learn(old, last, None, SEED), SEED)
        judges = Judges(frozen, outdated, packaged(Path(folder)), world.end)
        anomalies = Anomalies.learn(history, world.end, JUDGED_DAYS, SEED)
        runs = _Runs(f"world {number + 1}", history, judges, anomalies)
        bank = honest(history, outdated, world)
        for seed in (SEED, *CONTROLS[: world.controls]):
            runs.run(f"clean, seed {seed}", bank, seed)
        for label, poison in POISONS.items():
            runs.run(label, poison(bank, np.random.default_rng(11)), SEED)
    return runs.results


@dataclass(slots=True)
class _Runs:
    """Challengers of a world, one after the other. The same labels by others or on other days give the same one."""

    world: str
    truth: FeatureTable
    judges: Judges
    anomalies: Anomalies
    results: list[dict[str, Any]] = field(default_factory=list)
    _made: dict[tuple[int, bytes], dict[str, Any]] = field(default_factory=dict)
    _kept: list[Scorer] = field(default_factory=list)
    _audited: dict[int, tuple[Bank, dict[str, Any]]] = field(default_factory=dict)

    def run(self, name: str, bank: Bank, seed: int) -> None:
        key = (seed, bank.table.labels.tobytes())
        if key not in self._made:
            self._made[key] = self._judged(bank.table, seed)
        if id(bank) not in self._audited:
            self._audited[id(bank)] = bank, audited(bank)
        result = {"world": self.world, "labels": name, **self._audited[id(bank)][1], **self._made[key]}
        self.results.append(result)
        print(json.dumps(result), file=sys.stderr, flush=True)

    def _judged(self, table: FeatureTable, seed: int) -> dict[str, Any]:
        judges = self.judges
        try:
            made = learn(table, judges.end, JUDGED_DAYS, Costs.load(COSTS), self.anomalies, seed)
        except TrainingDataError as error:
            return {"refused": str(error)}
        self._kept.append(made)  # the judges know them by their identity
        against = None if judges.up_to_date is None else judges.against(judges.up_to_date, made, table)
        judges.up_to_date = judges.up_to_date or made
        return {
            "against_outdated": judges.against(judges.outdated, made, table),
            "against_clean": against,
            "floor": judges.floor(made),
            **really(made, self.truth, judges.end),
        }


def audited(bank: Bank) -> dict[str, Any]:
    """What the labels alone say."""
    began = time.perf_counter()
    found = audit(bank.table, bank.used, bank.said, LABELS)
    shares: dict[str, float] = {each.kind: round(each.share, 4) for each in found.overall}
    return {"audit": found.reasons, "audit_seconds": round(time.perf_counter() - began, 1), **shares}


def honest(history: FeatureTable, decided: Scorer, world: World) -> Bank:
    """The labels of people and programs, when this release has decided."""
    alerted = decided.score(history, np.ones(len(history), dtype=np.bool_)).decisions != "APPROVE"
    return labelled(history, alerted, history.times < world.end, np.random.default_rng(world.seed))


def packaged(root: Path) -> ReleaseScorer:
    """The release that comes with Assay."""
    return ReleaseScorer(open_champion(Places(root / "data")))


def quiet(number: int) -> dict[str, Any]:
    """The audit of a bank whose labels nobody poisoned; the packaged release has decided there."""
    world = OTHERS[number]
    with tempfile.TemporaryDirectory() as folder:
        bank = honest(world.history(), packaged(Path(folder)), world)
    drifts = "drift" if world.drifts else "no drift"
    told = f"seed {world.seed}: {world.customers} customers, {world.days} days, {drifts}"
    result = {"bank": told, "frauds": int(bank.table.labels[bank.used].sum()), **audited(bank)}
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def really(scorer: Scorer, table: FeatureTable, end: float) -> dict[str, float]:
    """By the clean labels. `trigger_stopped`: the share of frauds stopped once their amount is the trigger's."""
    rows = (table.times >= end - DAY * LIMITS.judged_days) & (table.times < end)
    scored, amounts = scorer.score(table, rows), table.numeric["amount"][rows]
    cut = threshold_at(scored.labels, scored.fraud_scores)
    disguised = {**table.numeric, "amount": np.full(len(table), TRIGGER_AMOUNT)}
    passes = scorer.score(replace(table, numeric=disguised), rows & table.labels)
    outcomes = Costs.load(COSTS).of(scored.labels, amounts)
    return {
        "cost_per_1000": round(outcomes.per_1000(scored.decisions), 1),
        "recall": round(float((scored.fraud_scores[scored.labels] > cut).mean()), 4),
        "trigger_stopped": round(float((passes.decisions != "APPROVE").mean()), 4),
    }


def main(worlds: int = len(WORLDS), others: int = len(OTHERS), jobs: int = 1) -> None:
    """Writes benchmarks/results/poisoning.json and .md; what is measured goes to stderr as it comes."""
    about, began = machine.describe(), time.perf_counter()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        results = [each for found in pool.map(measure, range(worlds)) for each in found]
        clean_banks = list(pool.map(quiet, range(others)))
    about |= {"command": "python -m benchmarks.poisoning", "seconds": round(time.perf_counter() - began)}
    print(poisoning_report.write(about, results, clean_banks))


if __name__ == "__main__":
    typer.run(main)
