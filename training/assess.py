"""Scores the held-out period with everything a release holds, and gathers what the release says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.features.catalog import ANOMALY_NAMES, NAMES
from assay.policy import Policy
from assay.rules.ruleset import RuleSet
from training.decisions import decide
from training.evaluate import Firings, Scored, difficulty, model_metrics, rule_metrics
from training.evidence import rule_evidence, weight_of_evidence
from training.prepare import Part
from training.thresholds import SubsetThresholds, subset_thresholds
from training.work import Data, Fitted, Run, within


def score_part(data: Data, part: Part, fitted: Fitted, firings: Firings, policy: Policy) -> Scored:
    """Every model's and the policy's answer on the part, with the truth."""
    scores = fitted.calibration.platt.apply(fitted.xgboost.margins(part.full))
    forest, errors = fitted.forest.scores(part.anomaly), fitted.autoencoder.scores(part.anomaly)
    if_flags, ae_flags = forest < 0.0, errors > fitted.autoencoder.threshold
    decisions = decide(policy, within(firings, data, part).flags, scores, if_flags & ae_flags)
    return Scored(part.truth, part.stories(data.table), scores, forest, errors, if_flags, ae_flags, decisions)


def thresholds_of(scored: Scored, part: Part, policy: Policy) -> SubsetThresholds:
    """Thresholds for missing models, from the rows of the calibration part not known to be fraud."""
    honest = ~part.known
    both = (scored.if_flags & scored.ae_flags)[honest]
    stopped = both | (scored.fraud_scores[honest] >= policy.challenge_above)
    return subset_thresholds(scored.if_scores[honest], scored.ae_errors[honest], both, stopped)


def evidence_of(data: Data, firings: Firings) -> dict[str, float]:
    """Weight of evidence of every rule, on the training part with the labels known at the cut-off."""
    return rule_evidence(within(firings, data, data.train).fired, data.train.known)


def model_evidence(scored: Scored, part: Part) -> tuple[float, float]:
    """Weight of evidence of the isolation forest's and the autoencoder's flag, on the calibration part."""
    forest = weight_of_evidence(scored.if_flags, part.known)
    return forest, weight_of_evidence(scored.ae_flags, part.known)


def release_metrics(
    data: Data, fitted: Fitted, scored: Scored, rules: RuleSet, firings: Firings, evidence: dict[str, float]
) -> dict[str, Any]:
    """Everything measured, over the test period unless it says otherwise."""
    train, test = data.train, data.test
    metrics = model_metrics(scored)
    metrics["difficulty"] = difficulty(NAMES, train.full, train.known, test.full, test.truth)
    metrics["rules"] = rule_metrics(rules, firings, data.table.labels[data.live], evidence)
    metrics["calibration"]["reported_share"] = fitted.calibration.reported_share
    metrics["importance"] = importances(fitted)
    return metrics


def importances(fitted: Fitted) -> dict[str, float]:
    """Each feature's share of the trees' total gain, largest first; a feature no tree uses is left out."""
    scores = fitted.xgboost.booster.get_score(importance_type="total_gain")
    gains = {NAMES[int(name[1:])]: float(np.sum(gain)) for name, gain in scores.items()}
    total = sum(gains.values())
    return {name: gain / total for name, gain in sorted(gains.items(), key=lambda item: (-item[1], item[0]))}


def facts(run: Run, data: Data) -> dict[str, Any]:
    """What the model card tells of the data."""
    labels, reported = data.table.labels, ~np.isnan(data.table.label_times)
    frauds = int(labels.sum())
    return {
        "version": run.version,
        "seed": run.seed,
        "customers": f"{run.customers:,}",
        "days": run.days,
        "start": run.start.date().isoformat(),
        "transactions": f"{len(data.table):,}",
        "frauds": f"{frauds:,}",
        "share": f"{100 * frauds / len(data.table):.2f} %",
        "unreported": f"{100 * float((~reported[labels]).mean()):.1f} %",
        "anomaly": len(ANOMALY_NAMES),
        "features": len(NAMES),
        **{
            f"{name}{suffix}": f"{count:,}"
            for name, part in (("train", data.train), ("calibrate", data.calibrate), ("test", data.test))
            for suffix, count in (
                ("", len(part.truth)),
                ("_frauds", int((part.truth if name == "test" else part.known).sum())),
            )
        },
    }
