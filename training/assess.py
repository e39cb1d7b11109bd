"""Scores the held-out period with everything a release holds, and gathers what the release says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.features.catalog import ANOMALY_NAMES, NAMES
from assay.policy import Policy
from assay.rules.ruleset import RuleSet
from training.costs import Costs, best_thresholds
from training.decisions import decide
from training.evaluate import Firings, Scored, difficulty, model_metrics, rule_metrics, segment_metrics
from training.evidence import rule_evidence, weight_of_evidence
from training.prepare import Part
from training.thresholds import TrainedThresholds, subset_thresholds
from training.work import Data, Fitted, Run, within

TUNED = ("max_depth", "min_child_weight", "subsample", "colsample_bytree", "reg_lambda")


def score_part(data: Data, part: Part, fitted: Fitted, firings: Firings, policy: Policy) -> Scored:
    """Every model's and the policy's answer on the part, with the truth."""
    scores = fitted.calibration.platt.apply(fitted.xgboost.margins(part.full))
    forest, errors = fitted.forest.scores(part.anomaly), fitted.autoencoder.scores(part.anomaly)
    if_flags, ae_flags = forest < 0.0, errors > fitted.autoencoder.threshold
    decisions = decide(policy, within(firings, data, part).flags, scores, if_flags & ae_flags)
    return Scored(part.truth, part.stories(data.table), scores, forest, errors, if_flags, ae_flags, decisions)


def trained_thresholds(data: Data, fitted: Fitted, firings: Firings, costs: Costs, policy: Policy) -> TrainedThresholds:
    """Every number that training writes into the policy, measured on the calibration part with its known labels."""
    part = data.calibrate
    scored, known = score_part(data, part, fitted, firings, policy), part.known
    both, flags = scored.if_flags & scored.ae_flags, within(firings, data, part).flags
    score = best_thresholds(costs, costs.of(known, data.amounts(part)), scored.fraud_scores, flags, both, policy)
    stopped = both | (scored.fraud_scores >= score.challenge_above)
    honest = ~known
    subsets = subset_thresholds(scored.if_scores[honest], scored.ae_errors[honest], both[honest], stopped[honest])
    forest = weight_of_evidence(scored.if_flags, known)
    return TrainedThresholds(score, subsets, forest, weight_of_evidence(scored.ae_flags, known))


def cost_metrics(
    data: Data, fitted: Fitted, firings: Firings, costs: Costs, scored: Scored, policy: Policy
) -> dict[str, Any]:
    """What the test period costs per 1,000 transactions: as decided, by the rules alone, and with nothing at all."""
    outcomes, flags = costs.of(data.test.truth, data.amounts(data.test)), within(firings, data, data.test).flags
    by_rules = decide(policy, flags, np.zeros(len(flags)), np.zeros(len(flags), dtype=np.bool_))
    return {
        "flag_escalates_above": policy.flag_escalates_above,
        "challenge_above": policy.challenge_above,
        "decline_above": policy.decline_above,
        "per_1000": outcomes.per_1000(scored.decisions),
        "per_1000_rules_alone": outcomes.per_1000(by_rules),
        "per_1000_approving_all": outcomes.per_1000(np.full(len(flags), "APPROVE")),
        "alerts_per_1000": 1000 * float((scored.decisions == "DECLINE").mean()),
        "capacity_alerts_per_1000": costs.capacity.alerts_per_1000,
    }


def evidence_of(data: Data, firings: Firings) -> dict[str, float]:
    """Weight of evidence of every rule, on the training part with the labels known at the cut-off."""
    return rule_evidence(within(firings, data, data.train).fired, data.train.known)


def release_metrics(
    data: Data, fitted: Fitted, scored: Scored, rules: RuleSet, firings: Firings, evidence: dict[str, float]
) -> dict[str, Any]:
    """Everything measured, over the test period unless it says otherwise."""
    train, test = data.train, data.test
    metrics = model_metrics(scored)
    metrics["difficulty"] = difficulty(NAMES, train.full, train.known, test.full, test.truth)
    metrics["rules"] = rule_metrics(rules, firings, data.table.labels[data.live], evidence)
    metrics["segments"] = segment_metrics(scored, data.table.columns(test.rows))
    metrics["calibration"]["reported_share"] = fitted.calibration.reported_share
    metrics["importance"] = importances(fitted)
    metrics["tuning"] = {
        "candidates": len({repr(judged.parameters) for judged in fitted.search}),
        "log_loss": min(judged.loss for judged in fitted.search),
    }
    return metrics


def importances(fitted: Fitted) -> dict[str, float]:
    """Each feature's share of the trees' total gain, largest first; a feature no tree uses is left out."""
    scores = fitted.xgboost.booster.get_score(importance_type="total_gain")
    gains = {NAMES[int(name[1:])]: float(np.sum(gain)) for name, gain in scores.items()}
    total = sum(gains.values())
    return {name: gain / total for name, gain in sorted(gains.items(), key=lambda item: (-item[1], item[0]))}


def facts(run: Run, data: Data, fitted: Fitted) -> dict[str, Any]:
    """What the model card tells of the data."""
    labels, reported = data.table.labels, ~np.isnan(data.table.label_times)
    frauds = int(labels.sum())
    return {
        "version": run.settings.version,
        "source": run.source,
        "trials": run.settings.trials,
        "parameters": ", ".join(f"{name} {fitted.xgboost.parameters[name]:g}" for name in TUNED),
        "rounds": fitted.xgboost.rounds,
        "transactions": f"{len(data.table):,}",
        "frauds": f"{frauds:,}",
        "share": f"{100 * frauds / len(data.table):.2f} %",
        "unreported": f"{100 * float((~reported[labels]).mean()):.1f} %" if frauds else "-",
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
