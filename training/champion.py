"""A release as it is served, over many rows: the exported models, its own rules and policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.features.catalog import NAMES
from assay.policy import Policy
from assay.release import Release
from assay.release.models import load_autoencoder, load_isolation_forest, load_xgboost, vectoriser
from assay.rules.ruleset import RuleSet
from training.calibration import PlattScaling
from training.costs import Costs
from training.decisions import decide
from training.evaluate import Scored, difficulty, fire, model_metrics, rule_metrics
from training.evidence import rule_evidence
from training.prepare import learn_encoding
from training.settings import TrainingDataError, default
from training.table import FeatureTable

Bools = NDArray[np.bool_]
WARM_UP, LEARN = 0.15, 0.6
"""Shares of the time: in the first everybody's device is new; up to the second the depth-3 tree may learn."""


class ReleaseScorer:
    """One verified release, ready to score the rows of a table. Raises ReleaseError, RuleError or PolicyError."""

    def __init__(self, release: Release) -> None:
        manifest = release.manifest
        self._manifest = manifest
        self._forest, self._autoencoder = load_isolation_forest(release), load_autoencoder(release)
        self._trees = load_xgboost(release)
        self._platt = PlattScaling(manifest.calibration.slope, manifest.calibration.intercept)
        self.rules, self.policy = RuleSet.load(release.read("rules.yaml")), Policy.of(release)

    def score(self, table: FeatureTable, rows: Bools) -> Scored:
        """The chosen rows, each with every score, also where a rule blocks."""
        columns, models = table.columns(rows), self._manifest.models
        matrices = {
            name: vectoriser(self._manifest, name).table(columns)
            for name in ("isolation_forest", "autoencoder", "xgboost_classifier")
        }
        scores = self._platt.apply(np.asarray(self._trees.predict_margins(matrices["xgboost_classifier"])))
        forest = np.asarray(self._forest.scores(matrices["isolation_forest"]))
        errors = np.asarray(self._autoencoder.errors(matrices["autoencoder"]))
        if_flags, ae_flags = forest < models.isolation_forest.threshold, errors > models.autoencoder.threshold
        flags = fire(self.rules, table.frame(rows)).flags
        decisions = decide(self.policy, flags, scores, if_flags & ae_flags)
        stories = [table.stories[index] for index in np.flatnonzero(rows)]
        return Scored(table.labels[rows], stories, scores, forest, errors, if_flags, ae_flags, decisions)


def evaluate_table(release: Release, table: FeatureTable) -> dict[str, Any]:
    """How hard the table is, and how well the release does on its last 40 % of time; shaped as a training's metrics.

    Nothing is fitted but the depth-3 tree, on the time before. TrainingDataError: too little to tell anything.
    """
    if not len(table):
        raise TrainingDataError("no transactions to evaluate")
    start, end = table.times[0], table.times[-1]
    learn = (table.times >= start + WARM_UP * (end - start)) & (table.times < start + LEARN * (end - start))
    test = table.times >= start + LEARN * (end - start)
    for name, rows in (("before", learn), ("evaluated", test)):
        if not 0 < table.labels[rows].sum() < rows.sum():
            raise TrainingDataError(f"the period {name} lacks fraud or legitimate transactions: too small a bank")
    scorer, costs = ReleaseScorer(release), Costs.load(default("costs.yaml"))
    encoding = learn_encoding(table, learn).full()
    parts = [encoding.table(table.columns(rows)) for rows in (learn, test)]
    firings = fire(scorer.rules, table.frame(learn | test))
    labels = table.labels[learn | test]
    scored = scorer.score(table, test)
    return {
        "transactions": int(test.sum()),
        "frauds": int(table.labels[test].sum()),
        **model_metrics(scored),
        "cost_per_1000": costs.of(scored.labels, table.numeric["amount"][test]).per_1000(scored.decisions),
        "difficulty": difficulty(NAMES, parts[0], table.labels[learn], parts[1], table.labels[test]),
        "rules": rule_metrics(scorer.rules, firings, labels, rule_evidence(firings.fired, labels)),
    }
