"""The training report: one HTML file with its pictures inside. The same run gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from training import charts
from training.report import number, percent, ranked_row

if TYPE_CHECKING:
    from training.train import Trained

TEMPLATES = Path(__file__).parent / "templates"
POINTS = 200
"""Of the precision-recall curve: more cannot be seen."""
BINS = 20


def write_report(path: Path, trained: Trained) -> None:
    """Writes the report, replacing an older one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report(trained), encoding="utf-8")


def report(trained: Trained) -> str:
    """The report as HTML."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    metrics = trained.metrics
    name, area = next(iter(metrics["difficulty"]["single_feature_roc_auc"].items()))
    return environment.get_template("report.html").render(
        facts=trained.facts,
        ranked=[
            ranked_row("decision tree, depth 3", metrics["difficulty"]["tree_depth_3"]),
            *(ranked_row(model, metrics[model]) for model in ("xgboost_classifier", "isolation_forest", "autoencoder")),
        ],
        best_feature=f"{name}, ROC AUC {number(area)}",
        charts=_charts(trained),
        sections=[_segments(metrics), _decisions(metrics), _costs(metrics), _rules(metrics)],
    )


def _charts(trained: Trained) -> list[dict[str, Markup | str]]:
    scored, metrics = trained.scored, trained.metrics
    calibration = metrics["calibration"]
    importances = [(name, share) for name, share in list(metrics["importance"].items())[:15]]
    stories = [(f"{name} ({part['frauds']})", part["recall"]) for name, part in metrics["stories"].items()]
    counts = _counts(scored.labels, scored.fraud_scores)
    pictures = [
        (
            charts.curve("recall", "precision", _precision_recall(scored.labels, scored.fraud_scores)),
            "Precision-recall.",
        ),
        (
            charts.curve(
                "mean score",
                "fraud share",
                [(part["mean_score"], part["fraud_share"]) for part in calibration["reliability"]],
                diagonal=True,
                dots=True,
            ),
            f"Calibration: expected error {calibration['ece']:.4f}.",
        ),
        (charts.histogram("fraud score", counts, ("legitimate", "fraud")), "Scores: legitimate left, fraud right."),
        (charts.bars(importances, "share of total gain"), "What the trees use: share of total gain."),
        (
            charts.bars(stories, "recall at 0.5 % false positives"),
            "Recall per story at 0.5 % false positives (frauds).",
        ),
    ]
    return [{"svg": svg, "caption": caption} for svg, caption in pictures]


def _precision_recall(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[charts.Point]:
    precision, recall, _ = precision_recall_curve(labels, scores)
    chosen = np.unique(np.linspace(0, len(recall) - 1, POINTS).astype(int))
    by_recall = np.searchsorted(-recall, -np.linspace(0, 1, POINTS))  # as many points where the curve is steep
    chosen = np.unique(np.concatenate([chosen, np.clip(by_recall, 0, len(recall) - 1)]))
    return [(float(recall[index]), float(precision[index])) for index in chosen]


def _counts(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[tuple[int, int]]:
    sides = [np.histogram(scores[side], BINS, (0.0, 1.0))[0] for side in (~labels, labels)]
    return [(int(legitimate), int(fraud)) for legitimate, fraud in zip(*sides, strict=True)]


def _section(title: str, note: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    return {"title": title, "note": note, "header": header, "rows": rows}


def _segments(metrics: dict[str, Any]) -> dict[str, Any]:
    rows = [
        (name, f"{part['rows']:,}", str(part["frauds"]), percent(part["recall"]), percent(part["false_positives"], 2))
        for name, part in metrics["segments"].items()
    ]
    note = "One threshold for all: 0.5 % false positives overall."
    return _section("Per segment", note, ("segment", "rows", "frauds", "recall", "false positives"), rows)


def _decisions(metrics: dict[str, Any]) -> dict[str, Any]:
    choices = ("APPROVE", "CHALLENGE", "DECLINE")
    rows = [(side, *(percent(part[choice], 2) for choice in choices)) for side, part in metrics["decisions"].items()]
    return _section("Decisions by the policy", "", ("", *choices), rows)


def _costs(metrics: dict[str, Any]) -> dict[str, Any]:
    costs = metrics["costs"]
    note = f"Challenge from {costs['challenge_above']:.2f}, if rules flag from {costs['flag_escalates_above']:.2f}, "
    note += f"decline from {costs['decline_above']:.2f}; "
    note += f"{costs['alerts_per_1000']:.1f} declines of 1,000 transactions, "
    note += f"capacity {costs['capacity_alerts_per_1000']:g}."
    named = (("this release", ""), ("its rules alone", "_rules_alone"), ("approving everything", "_approving_all"))
    rows = [(name, f"{costs[f'per_1000{suffix}']:,.0f}") for name, suffix in named]
    return _section("Costs", note, ("decided by", "per 1,000 transactions, base currency"), rows)


def _rules(metrics: dict[str, Any]) -> dict[str, Any]:
    rows = [
        (
            rule,
            part["severity"],
            percent(part["share_of_legitimate"], 3),
            percent(part["share_of_fraud"], 2),
            percent(part["precision"]),
            number(part["evidence"]),
        )
        for rule, part in metrics["rules"]["each"].items()
    ]
    header = ("rule", "severity", "fires on legitimate", "fires on fraud", "precision", "evidence (log-odds)")
    return _section("Rules", "All rows after the warm-up.", header, rows)
