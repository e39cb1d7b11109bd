"""Challengers as a retraining makes them, as far as labels matter to them, and without the rest: it takes a tenth.

The classifier, its calibration and the thresholds of the score are trained as in `training.train`. Not the anomaly
models, which learn no labels but leave known frauds out: one pair per world, of the clean labels. And nothing is tuned:
the parameters are the first of the proven ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.policy import Policy
from assay.rules.ruleset import RuleSet
from training.calibration import PlattScaling, fit_calibration
from training.costs import Costs, best_thresholds
from training.decisions import decide
from training.evaluate import Scored, fire
from training.fit import FittedAutoencoder, FittedForest, FittedXgboost, fit_autoencoder, fit_forest, fit_xgboost
from training.prepare import Encoding
from training.settings import default
from training.table import FeatureTable
from training.train import prepare
from training.tuning import PROVEN, PROVEN_SAMPLING
from training.unknowns import with_unknowns

Bools = NDArray[np.bool_]
RULES, POLICY = RuleSet.load(default("rules.yaml")), Policy.load(default("policy.yaml"))


@dataclass(frozen=True, slots=True)
class Ground:
    """What labels do not change: of every row the rules' flag, and whether both anomaly models flag it."""

    flags: NDArray[np.str_]
    both: Bools


@dataclass(slots=True)
class Anomalies:
    """The anomaly models of a world, and what they and the rules say of its tables."""

    encoding: Encoding
    forest: FittedForest
    autoencoder: FittedAutoencoder
    _known: dict[int, tuple[object, Ground]] = field(default_factory=dict)

    @classmethod
    def learn(cls, table: FeatureTable, end: float, judged_days: float | None, seed: int) -> Anomalies:
        """Of the clean labels."""
        data = prepare(table, float(table.times[0]), end, judged_days)
        usual = data.train.anomaly[~data.train.known]
        return cls(data.encoding, fit_forest(usual, seed), fit_autoencoder(usual, seed))

    def ground(self, table: FeatureTable) -> Ground:
        """Worked out once for all tables with the same features."""
        if id(table.numeric) not in self._known:
            everything = np.ones(len(table), dtype=np.bool_)
            rows = self.encoding.anomaly().table(table.columns(everything))
            both = (self.forest.scores(rows) < 0.0) & (self.autoencoder.scores(rows) > self.autoencoder.threshold)
            self._known[id(table.numeric)] = (table.numeric, Ground(fire(RULES, table.frame(everything)).flags, both))
        return self._known[id(table.numeric)][1]


@dataclass(frozen=True, slots=True)
class Challenger:
    """Scores as a release would."""

    encoding: Encoding
    classifier: FittedXgboost
    platt: PlattScaling
    policy: Policy
    anomalies: Anomalies

    def score(self, table: FeatureTable, rows: Bools) -> Scored:
        """The chosen rows."""
        ground = self.anomalies.ground(table)
        matrix = self.encoding.full().table(table.columns(rows))
        scores = self.platt.apply(self.classifier.margins(matrix))
        decisions = decide(self.policy, ground.flags[rows], scores, ground.both[rows])
        nothing = np.zeros(len(scores))
        unused = nothing.astype(np.bool_)
        stories = [table.stories[index] for index in np.flatnonzero(rows)]
        return Scored(table.labels[rows], stories, scores, nothing, nothing, unused, unused, decisions)


def learn(
    table: FeatureTable, end: float, judged_days: float | None, costs: Costs, anomalies: Anomalies, seed: int
) -> Challenger:
    """Raises `TrainingDataError`."""
    data = prepare(table, float(table.times[0]), end, judged_days)
    train, calibrate = data.train, data.calibrate
    rows, labels = with_unknowns(train.full, train.known, data.encoding.categories, seed)
    tuned = {**PROVEN_SAMPLING, **PROVEN[0]}
    classifier = fit_xgboost(rows, labels, calibrate.full, calibrate.known, tuned, seed)
    margins, ground = classifier.margins(calibrate.full), anomalies.ground(table)
    platt = fit_calibration(margins, calibrate.known).platt
    outcomes, scores = costs.of(calibrate.known, data.amounts(calibrate)), platt.apply(margins)
    flags, both = ground.flags[calibrate.rows], ground.both[calibrate.rows]
    cut = best_thresholds(costs, outcomes, scores, flags, both, POLICY)
    policy = POLICY.model_copy(update={"challenge_above": cut.challenge_above, "decline_above": cut.decline_above})
    return Challenger(data.encoding, classifier, platt, policy, anomalies)
