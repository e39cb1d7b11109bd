"""What the held-out period says of the models, of the policy, and of how hard the data is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FALSE_POSITIVE_RATE = 0.005


def roc_auc(labels: Bools, scores: Floats) -> float:
    """Area under the ROC curve; NaN when a class is missing."""
    return float(roc_auc_score(labels, scores)) if 0 < labels.sum() < len(labels) else float("nan")


def average_precision(labels: Bools, scores: Floats) -> float:
    """Area under the precision-recall curve, as scikit-learn defines it; NaN without fraud."""
    return float(average_precision_score(labels, scores)) if labels.any() else float("nan")


def threshold_at(labels: Bools, scores: Floats, rate: float = FALSE_POSITIVE_RATE) -> float:
    """The score above which at most `rate` of the legitimate rows lie."""
    return float(np.quantile(scores[~labels], 1 - rate, method="higher"))


def ranking(labels: Bools, scores: Floats) -> dict[str, float]:
    """ROC AUC, average precision, and recall at 0.5 % false positives."""
    cut = threshold_at(labels, scores)
    return {
        "roc_auc": roc_auc(labels, scores),
        "average_precision": average_precision(labels, scores),
        "recall_at_fpr_0_5pct": float((scores[labels] > cut).mean()) if labels.any() else float("nan"),
    }


def recall_per_story(labels: Bools, scores: Floats, stories: Sequence[str | None]) -> dict[str, dict[str, float]]:
    """Per story: its frauds in the period, and the share of them caught at 0.5 % false positives overall."""
    caught = scores > threshold_at(labels, scores)
    names = np.array([story or "" for story in stories])
    return {
        name: {"frauds": int((names == name).sum()), "recall": float(caught[names == name].mean())}
        for name in sorted(set(names[labels]))
    }


def single_feature_auc(labels: Bools, values: Floats) -> float:
    """The best ROC AUC this one feature reaches, in either direction, unknown counted as lowest or as highest."""
    unknown = np.isnan(values)
    if unknown.all():
        return 0.5
    low, high = np.nanmin(values) - 1, np.nanmax(values) + 1
    areas = [roc_auc(labels, np.where(unknown, fill, values)) for fill in (low, high)]
    return max(max(area, 1 - area) for area in areas)


def category_as_risk(train: Floats, train_labels: Bools, test: Floats) -> Floats:
    """A category's codes replaced by its fraud share in training: what one could do with it alone."""
    codes = np.unique(train)
    shares = {code: (train_labels[train == code].sum() + 0.01) / ((train == code).sum() + 1) for code in codes}
    return np.array([shares.get(code, 0.0) for code in test])


def shallow_tree(train: Floats, train_labels: Bools, test: Floats, labels: Bools) -> dict[str, float]:
    """What the better of two decision trees of depth 3 reaches on the same features: how much of the task is easy."""
    results = []
    for weight in (None, "balanced"):
        tree = DecisionTreeClassifier(max_depth=3, class_weight=weight, min_samples_leaf=50, random_state=0)
        results.append(ranking(labels, tree.fit(train, train_labels).predict_proba(test)[:, 1]))
    return max(results, key=lambda result: result["average_precision"])


def rates(decisions: NDArray[np.str_], labels: Bools) -> dict[str, dict[str, float]]:
    """Share of each decision among the legitimate and the fraudulent rows."""
    return {
        name: {choice: float((decisions[rows] == choice).mean()) for choice in ("APPROVE", "CHALLENGE", "DECLINE")}
        for name, rows in (("legitimate", ~labels), ("fraud", labels))
        if rows.any()
    }


def rounded(value: Any, digits: int = 6) -> Any:  # noqa: ANN401 - walks nested metrics
    """The same structure with floats rounded and NaN as None, ready for JSON."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), digits) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def flattened(value: Any, prefix: str = "") -> dict[str, float]:  # noqa: ANN401 - walks nested metrics
    """The numbers of nested metrics under dotted names; texts, lists and None are left out."""
    flat: dict[str, float] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            flat.update(flattened(item, f"{prefix}{key}."))
        elif isinstance(item, int | float):
            flat[f"{prefix}{key}"] = float(item)
    return flat
