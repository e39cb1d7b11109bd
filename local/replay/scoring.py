"""Scores many feature rows at once: the same release, rules, models and decision table as serving, on whole columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.features.catalog import ALL, NAMES
from assay.features.direct import Row
from assay.policy import Policy
from assay.release import Release
from assay.release.models import load_autoencoder, load_isolation_forest, load_xgboost, vectoriser
from assay.rules.ruleset import RuleSet
from assay.rules.table import evaluate_table
from assay.schemas.stages import RulesFlag
from functions.decision_engine.table import BLOCKED, Evidence, Outcome, rows_1_to_6

TYPES = {feature.name: pl.String if feature.kind == "category" else pl.Float64 for feature in ALL}


class BatchScorer:
    """One release, ready to score columns."""

    def __init__(self, release: Release) -> None:
        """Raises `ReleaseError`, `RuleError` or `PolicyError`."""
        self._rules = RuleSet.load(release.read("rules.yaml"))
        self._policy = Policy.of(release)
        self._models = release.manifest.models
        self._calibration = release.manifest.calibration
        self._forest = load_isolation_forest(release)
        self._autoencoder = load_autoencoder(release)
        self._trees = load_xgboost(release)
        self._forest_rows = vectoriser(release.manifest, "isolation_forest")
        self._autoencoder_rows = vectoriser(release.manifest, "autoencoder")
        self._tree_rows = vectoriser(release.manifest, "xgboost_classifier")

    def score(self, rows: Sequence[Row]) -> pl.DataFrame:
        """One row per row: decision, triggered_by, fraud_score, if_score, ae_error, rules_flag, triggered_rules.

        As in serving, a transaction that rules block has no scores.
        """
        columns = dict(zip(NAMES, zip(*rows, strict=True), strict=True))
        table = pl.DataFrame({name: pl.Series(name, columns[name], TYPES[name]) for name in NAMES})
        fired = evaluate_table(self._rules, table)
        known = {name: columns[name] if TYPES[name] == pl.String else table[name].to_numpy() for name in NAMES}
        if_scores = self._forest.scores(self._forest_rows.table(known))
        ae_errors = self._autoencoder.errors(self._autoencoder_rows.table(known))
        fraud_scores = self._probabilities(self._tree_rows.table(known))
        flags = fired["rules_flag"].to_list()
        outcomes = self._outcomes(flags, if_scores, ae_errors, fraud_scores)
        blocked = fired["rules_flag"] == RulesFlag.BLOCK.value
        scores = pl.DataFrame({"fraud_score": fraud_scores, "if_score": if_scores, "ae_error": ae_errors})
        return pl.DataFrame(
            {
                "decision": [outcome.decision.value for outcome in outcomes],
                "triggered_by": [outcome.triggered_by for outcome in outcomes],
                **scores.select(pl.when(~blocked).then(pl.all().round(6)).name.keep()).to_dict(),
                "rules_flag": fired["rules_flag"],
                "triggered_rules": self._fired_ids(fired),
            }
        )

    def _probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        logits = self._calibration.slope * self._trees.predict_margins(matrix) + self._calibration.intercept
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -700, 700))))

    def _outcomes(
        self,
        flags: Sequence[str],
        if_scores: NDArray[np.float64],
        ae_errors: NDArray[np.float64],
        fraud_scores: NDArray[np.float64],
    ) -> list[Outcome]:
        if_anomalies = (if_scores < self._models.isolation_forest.threshold).tolist()
        ae_anomalies = (ae_errors > self._models.autoencoder.threshold).tolist()
        evidence = zip(flags, fraud_scores.tolist(), if_anomalies, ae_anomalies, strict=True)
        return [
            BLOCKED
            if flag == RulesFlag.BLOCK
            else rows_1_to_6(Evidence(RulesFlag(flag), score, isolated, unlike, isolated and unlike), self._policy)
            for flag, score, isolated, unlike in evidence
        ]

    def _fired_ids(self, fired: pl.DataFrame) -> pl.Series:
        ids = [rule.id for rule in self._rules.rules]
        named = [pl.when(pl.col(rule)).then(pl.lit(rule)) for rule in ids]
        return fired.select(pl.concat_str(named, separator=" ", ignore_nulls=True).alias("triggered_rules")).to_series()
