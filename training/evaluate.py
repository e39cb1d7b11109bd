"""Everything a release says of itself: figures over the held-out period, rule firings, difficulty, importances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.rules.ruleset import RuleSet
from assay.rules.table import evaluate_table
from training.calibration import ReliabilityBin, calibration_error_by_chance, expected_calibration_error, reliability
from training.evidence import firing_table
from training.metrics import (
    category_as_risk,
    ranking,
    rates,
    recall_per_story,
    shallow_tree,
    single_feature_auc,
    threshold_at,
)
from training.table import CATEGORIES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Scored:
    """The models' and rules' answers over some rows, with the truth. All columns have one entry per row."""

    labels: Bools
    stories: Sequence[str | None]
    fraud_scores: Floats
    if_scores: Floats
    ae_errors: Floats
    if_flags: Bools
    ae_flags: Bools
    decisions: Texts


@dataclass(frozen=True, slots=True)
class Firings:
    """What the rules said of some rows: per rule id whether it fired (not evaluated counts as not), and the flag."""

    fired: dict[str, Bools]
    flags: Texts


def fire(rules: RuleSet, frame: pl.DataFrame) -> Firings:
    """The rules over a data frame of features."""
    result = evaluate_table(rules, frame)
    fired = {rule.id: result[rule.id].fill_null(value=False).to_numpy().astype(np.bool_) for rule in rules.rules}
    return Firings(fired, result["rules_flag"].to_numpy().astype(np.str_))


def model_metrics(scored: Scored) -> dict[str, Any]:
    """Ranking, stories, flags, calibration and decisions over the held-out period."""
    labels = scored.labels
    both = scored.if_flags & scored.ae_flags
    flags = {"isolation_forest": scored.if_flags, "autoencoder": scored.ae_flags, "both": both}
    stories = recall_per_story(labels, scored.fraud_scores, scored.stories)
    names = np.array([story or "" for story in scored.stories])
    for name, part in stories.items():
        part["stopped"] = float((scored.decisions[names == name] != "APPROVE").mean())
    return {
        "xgboost_classifier": ranking(labels, scored.fraud_scores),
        "isolation_forest": ranking(labels, -scored.if_scores),
        "autoencoder": ranking(labels, scored.ae_errors),
        "anomaly_flags": {
            name: {"legitimate": float(flag[~labels].mean()), "fraud": float(flag[labels].mean())}
            for name, flag in flags.items()
        },
        "stories": stories,
        "calibration": calibration_metrics(labels, scored.fraud_scores),
        "decisions": rates(scored.decisions, labels),
    }


SEGMENTS = ("channel", "geo_country")
SMALLEST_SEGMENT = 5
"""Frauds; of fewer, a share says nothing."""


def segment_metrics(scored: Scored, columns: Mapping[str, Floats | list[str | None]]) -> dict[str, Any]:
    """Per channel and country: rows, frauds, recall and false positives at the overall 0.5 % threshold, and stopped."""
    cut = threshold_at(scored.labels, scored.fraud_scores)
    caught, stopped = scored.fraud_scores > cut, scored.decisions != "APPROVE"
    segments: dict[str, Any] = {}
    for name in SEGMENTS:
        values = np.array([value or "unknown" for value in columns[name]])
        for value in np.unique(values):
            rows = values == value
            fraud, legitimate = rows & scored.labels, rows & ~scored.labels
            if fraud.sum() >= SMALLEST_SEGMENT and legitimate.any():
                segments[f"{name}={value}"] = {
                    "rows": int(rows.sum()),
                    "frauds": int(fraud.sum()),
                    "recall": float(caught[fraud].mean()),
                    "false_positives": float(caught[legitimate].mean()),
                    "stopped_legitimate": float(stopped[legitimate].mean()),
                }
    return segments


def calibration_metrics(labels: Bools, scores: Floats) -> dict[str, Any]:
    """Expected calibration error, the reliability table, and the rows scored near 0.8."""
    high = scores >= 0.1
    near = reliability(scores, labels, (0.0, 0.7, 0.9, 1.0))
    return {
        "ece": expected_calibration_error(scores, labels),
        "ece_above_0_1": expected_calibration_error(scores[high], labels[high]),
        "ece_above_0_1_by_chance": calibration_error_by_chance(scores[high]),
        "near_0_8": _bin(next((part for part in near if part.lower == 0.7), ReliabilityBin(0.7, 0.9, 0, 0.8, 0.0))),
        "reliability": [
            _bin(part) for part in reliability(scores, labels, tuple(round(0.1 * i, 1) for i in range(11)))
        ],
    }


def _bin(part: ReliabilityBin) -> dict[str, Any]:
    return {
        "lower": part.lower,
        "upper": part.upper,
        "count": part.count,
        "mean_score": part.mean_score,
        "fraud_share": part.fraud_share,
    }


def difficulty(names: Sequence[str], train: Floats, train_labels: Bools, test: Floats, labels: Bools) -> dict[str, Any]:
    """How far one gets without the models: each feature alone, and a decision tree of depth 3."""
    areas = {}
    for index, name in enumerate(names):
        column = test[:, index]
        if name in CATEGORIES:
            column = category_as_risk(train[:, index], train_labels, column)
        areas[name] = single_feature_auc(labels, column)
    best = dict(sorted(areas.items(), key=lambda item: -item[1]))
    return {"single_feature_roc_auc": best, "tree_depth_3": shallow_tree(train, train_labels, test, labels)}


def rule_metrics(rules: RuleSet, firings: Firings, labels: Bools, evidence: Mapping[str, float]) -> dict[str, Any]:
    """Each rule's firings and precision, and how much BLOCK and FLAG take of either side."""
    each = firing_table(firings.fired, labels)
    for rule in rules.rules:
        part = each[rule.id]
        part["severity"] = rule.severity.value
        part["evidence"] = evidence[rule.id]
        part["fraud_fired"] = int((firings.fired[rule.id] & labels).sum())
    flags = firings.flags
    return {
        "each": each,
        "blocked_legitimate": float((flags[~labels] == "BLOCK").mean()),
        "blocked_fraud": float((flags[labels] == "BLOCK").mean()),
        "flagged_legitimate": float((flags[~labels] == "FLAG").mean()),
        "flagged_fraud": float((flags[labels] == "FLAG").mean()),
    }
