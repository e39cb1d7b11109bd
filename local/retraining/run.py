"""`assay retrain`: from the need to a challenger, through the gate, to the champion. May end anywhere and begin again.

A release is written whole, the challenger's pointer is one change, the gate's report is kept together with its event,
and a promotion is one change again. What ended between the report and the promotion is promoted by the next run.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assay.errors import AssayError, ChampionMoved, PolicyError, StorageError
from assay.intelligence.drift_report import DriftReport, Level
from assay.intelligence.reports import DRIFT
from assay.intelligence.retraining_policy import RetrainingPolicy
from assay.policy import FILE, Policy
from assay.release import Release
from assay.release.keys import load_or_create_signing_key
from assay.release.registry import challenger, pointer, set_challenger
from assay.schemas.event import SYSTEM
from local.embedded import Places
from local.labels import labels_table
from local.registry import RegistryCommands
from local.releases import tell, trusted_keys
from local.retraining import golden
from local.retraining.report import Retraining, keep, last, stored
from local.retraining.rows import Labelled, labelled, served
from local.retraining.watch import roll_back_if_worse
from training.champion import ReleaseScorer
from training.costs import Costs
from training.parity import ParityError
from training.report_html import write_report
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


class RetrainingError(AssayError):
    """Nothing can be retrained now. The message says why."""


@dataclass(frozen=True, slots=True)
class Retrainer:
    """One installation, and how to retrain it."""

    places: Places
    costs: str = field(default="", repr=False)
    """costs.yaml; when empty, that of the data folder, or else the default."""
    seed: int = 7
    progress: Progress = silent

    def run(self, if_needed: bool, now: datetime | None = None) -> Retraining:
        """Retrains; with `if_needed`, looks first whether a fresh champion must go, and then whether it is time.

        Raises `RetrainingError` when another run is under way, `AssayError` for an installation that is not in order.
        """
        now = now or datetime.now(UTC)
        with _alone(self.places.data):
            version = pointer(RegistryCommands(self.places).registry).version
            if if_needed:
                gone = roll_back_if_worse(self.places, self._costs(), now)
                if gone:
                    return Retraining(at=now, outcome="rolled_back", reasons=gone, champion=version)
            return self._finished(now) or self._trained(now, if_needed)

    def shadow(self) -> Comparison | None:
        """The challenger on what the champion decided lately; None when that is nothing. Raises `AssayError`."""
        commands = RegistryCommands(self.places)
        found = challenger(commands.registry)
        if found is None:
            raise RetrainingError("there is no challenger; assay retrain makes one")
        return self._shadow(commands.champion(), commands.open(found.version), datetime.now(UTC))

    def _finished(self, now: datetime) -> Retraining | None:
        """A challenger that passed and was never promoted, because the run that made it ended too soon."""
        commands, before = RegistryCommands(self.places), last(self.places)
        if before is None or before.gate is None or not before.gate.passed:
            return None
        found, named = pointer(commands.registry), challenger(commands.registry)
        was_champion = any(move.after and move.after.version == before.version for move in found.moves)
        if was_champion or named is None or (named.version, found.version) != (before.version, before.champion):
            return None
        if _policy(commands.champion()).promotion == "by_hand":
            return None
        return self._promoted(before.model_copy(update={"at": now}))

    def _trained(self, now: datetime, if_needed: bool) -> Retraining:
        champion = RegistryCommands(self.places).champion()
        policy = _policy(champion)
        wanted = self._need(champion, now)
        if if_needed and not wanted.train:
            return Retraining(at=now, outcome="not_needed", reasons=wanted.reasons, champion=champion.version)
        triggers = wanted.reasons if wanted.train else ["asked for"]
        report = Retraining(at=now, outcome="not_possible", reasons=[], champion=champion.version, triggers=triggers)
        try:
            data = labelled(self.places, policy.history_days)
            _require_enough(data.table, policy)
            held = golden.ensure(self.places, champion)
            data = data.without(held.identity)
            made = self._train(data, champion, now)
            gate = self._gate(data, held, champion, made)
        except (TrainingDataError, ParityError, PolicyError) as error:
            report = report.model_copy(update={"reasons": [str(error)]})
            keep(self.places, report)
            return report
        facts = {
            "outcome": "challenger",
            "reasons": gate.reasons,
            "version": made.version,
            "golden_sha256": held.sha256,
            "gate": gate,
            "shadow": self._shadow(champion, made, now),
        }
        report = report.model_copy(update=facts)
        self._challenge(made, gate)
        keep(self.places, report)
        return self._promoted(report) if gate.passed and policy.promotion == "automatic" else report

    def _need(self, champion: Release, now: datetime) -> Need:
        since = RegistryCommands(self.places).registry.written(champion.version)
        labels = labels_table(self.places.database)
        before = last(self.places)
        found = Situation(
            now=now,
            champion_since=since,
            last_retraining=None if before is None else before.at,
            new_labels=len(labels) if since is None else int((labels["known_at"] > since).sum()),
            drifted=_drifted(self.places, champion),
        )
        return need(found, _policy(champion))

    def _train(self, data: Labelled, champion: Release, now: datetime) -> Release:
        """The champion's rules, policy and rates; only what is learnt is new."""
        policy = _policy(champion)
        commands = RegistryCommands(self.places)
        settings = Settings(
            version=_next_version(commands.registry.versions(), now),
            seed=self.seed,
            trials=policy.trials,
            label_delay_days=policy.label_delay_days,
            judged_days=policy.gate.judged_days,
            rules=champion.read("rules.yaml").decode(),
            policy=champion.read(FILE).decode(),
            rates=champion.read("rates.yaml").decode(),
            costs=self._costs_text(),
        )
        key = load_or_create_signing_key(self.places.keys / "release.pem")
        trained = train_on(data.history, data.labels, settings, self.places.releases, key, self.progress)
        write_report(self.places.models / "reports" / f"{settings.version}.html", trained)
        return RegistryCommands(self.places).open(settings.version)

    def _gate(self, data: Labelled, held: GoldenSet, champion: Release, made: Release) -> GateResult:
        """On the newest labelled period, which training only tested on, on the golden set, and by the labels' looks."""
        policy, table = Policy.load(champion.read(FILE)), data.table
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
        commands = RegistryCommands(self.places)
        why = "passed the gate" if gate.passed else f"not promoted: {gate.reasons[0]}"
        move = set_challenger(commands.registry, made.version, trusted_keys(self.places), SYSTEM, why[:200])
        asyncio.run(tell(self.places, [move]))

    def _promoted(self, report: Retraining) -> Retraining:
        """It may not be any more: somebody promoted another one meanwhile."""
        assert report.version is not None  # noqa: S101 - it has been through the gate
        why = f"retrained: {'; '.join(report.triggers)}"
        try:
            RegistryCommands(self.places).promote(report.version, SYSTEM, why[:200], report.champion, None)
        except ChampionMoved as error:
            return report.model_copy(update={"reasons": [*report.reasons, str(error)]})
        return report.model_copy(update={"outcome": "promoted"})

    def _shadow(self, champion: Release, other: Release, now: datetime) -> Comparison | None:
        found = served(self.places, champion, now - SHADOW)
        if found is None:
            return None
        versions = champion.version, other.version
        return compare(versions, found.decided, found.by(other), found.truth, self._costs())

    def _costs(self) -> Costs:
        return Costs.load(self._costs_text())

    def _costs_text(self) -> str:
        own: Path = self.places.data / "costs.yaml"
        return self.costs or (own.read_text("utf-8") if own.is_file() else default("costs.yaml"))


def _require_enough(table: FeatureTable, policy: RetrainingPolicy) -> None:
    """Said before anything is made. Raises `TrainingDataError`."""
    days = (table.times[-1] - table.times[0]) / DAY if len(table) else 0.0
    wanted = policy.label_delay_days + policy.gate.judged_days + MIN_DAYS
    if days < wanted:
        raise TrainingDataError(f"{days:.0f} days of history, at least {wanted} are needed")
    if table.labels.sum() < 2 * policy.gate.min_frauds:
        raise TrainingDataError(f"{table.labels.sum()} known frauds, at least {2 * policy.gate.min_frauds} are needed")


def _policy(release: Release) -> RetrainingPolicy:
    return Policy.load(release.read(FILE)).retraining


def _drifted(places: Places, champion: Release) -> tuple[str, ...]:
    """What the last look says is in alarm; one that compared with another release says nothing of this one."""
    body = stored(places, DRIFT)
    if body is None:
        return ()
    report = DriftReport.model_validate_json(body)
    return tuple(report.drifted) if report.release == champion.version and report.level is Level.ALARM else ()


def _next_version(versions: list[str], now: datetime) -> str:
    """Year, month, number: the first that is free."""
    month = f"{now:%Y.%-m}"
    return next(name for number in range(1, len(versions) + 2) if (name := f"{month}.{number}") not in versions)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two at once would do the same work twice, and one would be told that the champion has moved."""
    if not folder.is_dir():
        raise StorageError(f"{folder}: there is no such data folder")
    descriptor = os.open(folder / "retraining.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RetrainingError("a retraining is under way on this data folder") from None
    finally:
        os.close(descriptor)
