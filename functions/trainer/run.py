"""A retraining: from the need to a challenger, through the gate, to the champion. May end anywhere and begin again.

A release is written whole, the challenger's pointer is one change, the gate's report is kept together with its event,
and a promotion is one change again. What ended between the report and the promotion is promoted by the next run.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from assay import moments
from assay.errors import AssayError, ChampionMoved, PolicyError
from assay.intelligence.drift_report import DriftReport, Level
from assay.intelligence.reports import DRIFT, RETRAINING
from assay.intelligence.retraining_policy import RetrainingPolicy
from assay.policy import FILE, Policy
from assay.release import Release
from assay.release.registry import challenger, open_named, pointer, promote, set_challenger
from assay.release.telling import moved
from assay.schemas.event import SYSTEM
from functions.trainer import golden, report
from functions.trainer.installation import Installation, RetrainingError
from functions.trainer.report import Retraining
from functions.trainer.rows import Labelled, labelled, served
from functions.trainer.watch import roll_back_if_worse
from training import report_html
from training.champion import ReleaseScorer
from training.costs import Costs
from training.parity import ParityError
from training.retraining.gate import GOLDEN, NEWEST, GateResult, JudgedSet, judge
from training.retraining.golden import GoldenSet
from training.retraining.label_audit import audit
from training.retraining.said import said_of
from training.retraining.segments import segments_of
from training.retraining.shadow import Comparison, compare
from training.retraining.triggers import Need, Situation, need
from training.settings import Settings, TrainingDataError, default
from training.split import DAY, MIN_DAYS
from training.table import FeatureTable
from training.train import silent, train_on
from training.work import Progress

SHADOW = timedelta(days=28)
"""What the champion decided lately, at most."""


class OutOfTime(AssayError):  # noqa: N818 - named for what happened
    """A `Progress` raises it when what is under way would not come to its end."""


@dataclass(frozen=True, slots=True)
class Retrainer:
    """One installation, and how to retrain it."""

    installation: Installation
    costs: str = field(default="", repr=False)
    """costs.yaml; when empty, the installation's own, or else the default."""
    seed: int = 7
    progress: Progress = silent

    def run(self, if_needed: bool, now: datetime | None = None) -> Retraining:
        """Retrains; with `if_needed`, looks first whether a fresh champion must go, and then whether it is time.

        Raises `RetrainingError` when another run is under way, `AssayError` for an installation that is not in order.
        """
        now = now or moments.moment(moments.now())
        with self.installation.alone():
            version = pointer(self.installation.registry).version
            if if_needed:
                gone = roll_back_if_worse(self.installation, self._costs(), now)
                if gone:
                    return Retraining(at=now, outcome="rolled_back", reasons=gone, champion=version)
            return self._finished(now) or self._trained(now, if_needed)

    def shadow(self) -> Comparison | None:
        """The challenger on what the champion decided lately; None when that is nothing. Raises `AssayError`."""
        found = challenger(self.installation.registry)
        if found is None:
            raise RetrainingError("there is no challenger; assay retrain makes one")
        return self._shadow(self._champion(), self._open(found.version), moments.moment(moments.now()))

    def _finished(self, now: datetime) -> Retraining | None:
        """A challenger that passed and was never promoted, because the run that made it ended too soon."""
        registry, before = self.installation.registry, report.read(self.installation.report(RETRAINING))
        if before is None or before.gate is None or not before.gate.passed:
            return None
        found, named = pointer(registry), challenger(registry)
        was_champion = any(move.after and move.after.version == before.version for move in found.moves)
        if was_champion or named is None or (named.version, found.version) != (before.version, before.champion):
            return None
        if _policy(self._champion()).promotion == "by_hand":
            return None
        return self._promoted(before.model_copy(update={"at": now}))

    def _trained(self, now: datetime, if_needed: bool) -> Retraining:
        champion = self._champion()
        policy, before = _policy(champion), self.installation.report(RETRAINING)
        wanted = self._need(champion, report.read(before), now)
        if if_needed and not wanted.train:
            return Retraining(at=now, outcome="not_needed", reasons=wanted.reasons, champion=champion.version)
        triggers = wanted.reasons if wanted.train else ["asked for"]
        told = Retraining(at=now, outcome="not_possible", reasons=[], champion=champion.version, triggers=triggers)
        try:
            data = labelled(self.installation, policy.history_days)
            _require_enough(data.table, policy)
            held = golden.ensure(self.installation, champion)
            data = data.without(held.identity)
            made = self._train(data, champion, now)
            gate = self._gate(data, held, champion, made)
        except (TrainingDataError, ParityError, PolicyError, OutOfTime) as error:
            told = told.model_copy(update={"reasons": [str(error)]})
            report.keep(self.installation, before, told)
            return told
        facts = {
            "outcome": "challenger",
            "reasons": gate.reasons,
            "version": made.version,
            "golden_sha256": held.sha256,
            "gate": gate,
            "shadow": self._shadow(champion, made, now),
        }
        told = told.model_copy(update=facts)
        self._challenge(made, gate)
        report.keep(self.installation, before, told)
        return self._promoted(told) if gate.passed and policy.promotion == "automatic" else told

    def _need(self, champion: Release, before: Retraining | None, now: datetime) -> Need:
        policy = _policy(champion)
        since = self.installation.registry.written(champion.version)
        labels = self.installation.labels(now - timedelta(days=policy.history_days))
        found = Situation(
            now=now,
            champion_since=since,
            last_retraining=None if before is None else before.at,
            new_labels=len(labels) if since is None else int((labels["known_at"] > since).sum()),
            drifted=_drifted(self.installation, champion),
        )
        return need(found, policy)

    def _train(self, data: Labelled, champion: Release, now: datetime) -> Release:
        """The champion's rules, policy and rates; only what is learnt is new."""
        policy = _policy(champion)
        settings = Settings(
            version=_next_version(self.installation.registry.versions(), now),
            seed=self.seed,
            trials=policy.trials,
            label_delay_days=policy.label_delay_days,
            judged_days=policy.gate.judged_days,
            rules=champion.read("rules.yaml").decode(),
            policy=champion.read(FILE).decode(),
            rates=champion.read("rates.yaml").decode(),
            costs=self._costs_text(),
        )
        key = self.installation.signing_key()
        with tempfile.TemporaryDirectory(prefix="assay-training-") as folder:
            trained = train_on(data.history, data.labels, settings, Path(folder), key, self.progress)
            self.installation.registry.add(trained.folder)
        self.installation.write_report(f"{settings.version}.html", report_html.report(trained).encode())
        return self._open(settings.version)

    def _gate(self, data: Labelled, held: GoldenSet, champion: Release, made: Release) -> GateResult:
        """On the newest labelled period, which training only tested on, on the golden set, and by the labels' looks."""
        policy, table = Policy.of(champion), data.table
        limits, delay = policy.retraining.gate, policy.retraining.label_delay_days
        end = float(table.times[-1]) + 1 - DAY * delay
        newest_rows = (table.times >= end - DAY * limits.judged_days) & (table.times < end)
        scorers = ReleaseScorer(champion), ReleaseScorer(made)
        sets = []
        for name, rows_of, rows in ((NEWEST, table, newest_rows), (GOLDEN, held.table, held.table.times >= 0)):
            answers = [scorer.score(rows_of, rows) for scorer in scorers]
            segments = segments_of(rows_of, rows, policy.drift.amount_bands)
            sets.append(JudgedSet(name, answers[0], answers[1], rows_of.numeric["amount"][rows], segments))
        wanted, due = policy.retraining.labels, table.times < end
        labels = None if wanted is None else audit(table, due, said_of(data.history, data.labels), wanted)
        return judge(sets, self._costs(), limits, labels)

    def _challenge(self, made: Release, gate: GateResult) -> None:
        registry, trusted = self.installation.registry, self.installation.trusted()
        why = "passed the gate" if gate.passed else f"not promoted: {gate.reasons[0]}"
        self.installation.tell([set_challenger(registry, made.version, trusted, SYSTEM, why[:200])])

    def _promoted(self, told: Retraining) -> Retraining:
        """It may not be any more: somebody promoted another one meanwhile."""
        assert told.version is not None  # noqa: S101 - it has been through the gate
        here, why = self.installation, f"retrained: {'; '.join(told.triggers)}"[:200]
        change = partial(
            promote, here.registry, told.version, here.trusted(), SYSTEM, why, told.champion, check=here.servable
        )
        try:
            moved(here.registry, change, here.tell)
        except ChampionMoved as error:
            return told.model_copy(update={"reasons": [*told.reasons, str(error)]})
        return told.model_copy(update={"outcome": "promoted"})

    def _shadow(self, champion: Release, other: Release, now: datetime) -> Comparison | None:
        found = served(self.installation, champion, now - SHADOW)
        if found is None:
            return None
        versions = champion.version, other.version
        return compare(versions, found.decided, found.by(other), found.truth, self._costs())

    def _costs(self) -> Costs:
        return Costs.load(self._costs_text())

    def _costs_text(self) -> str:
        return self.costs or self.installation.costs() or default("costs.yaml")

    def _champion(self) -> Release:
        registry = self.installation.registry
        return open_named(registry, pointer(registry), self.installation.trusted())

    def _open(self, version: str) -> Release:
        return self.installation.registry.open(version, self.installation.trusted())


def _require_enough(table: FeatureTable, policy: RetrainingPolicy) -> None:
    """Said before anything is made. Raises `TrainingDataError`."""
    days = (table.times[-1] - table.times[0]) / DAY if len(table) else 0.0
    wanted = policy.label_delay_days + policy.gate.judged_days + MIN_DAYS
    if days < wanted:
        raise TrainingDataError(f"{days:.0f} days of history, at least {wanted} are needed")
    if table.labels.sum() < 2 * policy.gate.min_frauds:
        raise TrainingDataError(f"{table.labels.sum()} known frauds, at least {2 * policy.gate.min_frauds} are needed")


def _policy(release: Release) -> RetrainingPolicy:
    return Policy.of(release).retraining


def _drifted(installation: Installation, champion: Release) -> tuple[str, ...]:
    """What the last look says is in alarm; one that compared with another release says nothing of this one."""
    stored = installation.report(DRIFT)
    if stored is None:
        return ()
    found = DriftReport.model_validate_json(stored.body)
    return tuple(found.drifted) if found.release == champion.version and found.level is Level.ALARM else ()


def _next_version(versions: list[str], now: datetime) -> str:
    """Year, month, number: the first that is free."""
    month = f"{now:%Y.%-m}"
    return next(name for number in range(1, len(versions) + 2) if (name := f"{month}.{number}") not in versions)
