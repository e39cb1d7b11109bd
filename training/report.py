"""The model card: what was trained on what, how hard that is, and what came out. Plain Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = """# Model card, release {version}

**What.** Fraud scoring for payments: 16 declarative rules, an isolation forest and an autoencoder over {anomaly} \
features, and gradient-boosted trees over {features} features whose margin is calibrated to a probability.

**Data.** {source} {transactions} transactions, {frauds} known to be fraudulent ({share}). Labels arrive days to weeks \
late and {unreported} of the frauds were never reported; training saw only the labels that had arrived by its cut-off, \
the figures below use all there are.

**Split**, by time: {train} rows to train ({train_frauds} known frauds), {calibrate} to stop early, calibrate and set \
thresholds ({calibrate_frauds}), a gap in which labels ripen, {test} rows to test ({test_frauds} frauds).

**Tuning.** {trials} candidates by successive halving, judged by log loss on the newest quarter of the training rows: \
{parameters}; {rounds} trees.

**Limits.** Figures on simulated data say that the pieces work together and how they compare on the same rows; they \
do not say what a bank would see: simulated fraud is what somebody thought of, countries, currencies and habits are \
few and coarse. The costs behind the thresholds are assumed until an installation puts its own there (`costs.yaml`). \
A caller who sends fewer fields than the simulator (no device, no address) gets weaker scores.
"""


def percent(value: float | None, digits: int = 1) -> str:
    """0.123 -> 12.3 %; a dash for what is not known."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None) -> str:
    """Three decimals; a dash for what is not known."""
    return "-" if value is None else f"{value:.3f}"


def model_card(facts: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The card of a release from what the manifest holds."""
    parts = [
        HEAD.format(**facts),
        _difficulty(metrics),
        _models(metrics),
        _stories(metrics),
        _segments(metrics),
        _calibration(metrics),
        _decisions(metrics),
        _costs(metrics),
        _rules(metrics),
        _importance(metrics),
    ]
    return "\n".join(parts)


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def ranked_row(name: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    """Name, ROC AUC, average precision, recall at 0.5 % false positives."""
    recall = percent(result["recall_at_fpr_0_5pct"])
    return (name, number(result["roc_auc"]), number(result["average_precision"]), recall)


def _difficulty(metrics: Mapping[str, Any]) -> str:
    easy = metrics["difficulty"]
    singles = [(f"`{name}`", number(auc)) for name, auc in list(easy["single_feature_roc_auc"].items())[:8]]
    text = "## How hard the data is (test period)\n\nThe best single features, each alone:\n\n"
    text += table(("feature", "ROC AUC"), singles) + "\n"
    rows = [
        ranked_row("decision tree, depth 3", easy["tree_depth_3"]),
        ranked_row("champion", metrics["xgboost_classifier"]),
    ]
    return text + table(("", "ROC AUC", "average precision", "recall at 0.5 % false positives"), rows)


def _models(metrics: Mapping[str, Any]) -> str:
    names = ("xgboost_classifier", "isolation_forest", "autoencoder")
    rows = [ranked_row(name, metrics[name]) for name in names]
    text = "## Models (test period)\n\n"
    text += table(("model", "ROC AUC", "average precision", "recall at 0.5 % false positives"), rows)
    flags = metrics["anomaly_flags"]
    rows = [(name, percent(part["legitimate"], 2), percent(part["fraud"])) for name, part in flags.items()]
    return text + "\nFlagged as anomalous:\n\n" + table(("", "of legitimate", "of fraud"), rows)


def _stories(metrics: Mapping[str, Any]) -> str:
    rows = [
        (name, str(part["frauds"]), percent(part["recall"]), percent(part["stopped"]))
        for name, part in metrics["stories"].items()
    ]
    text = "## Per story (test period)\n\n`stopped`: declined or challenged by the policy, rules included.\n\n"
    return text + table(("story", "frauds", "recall at 0.5 % false positives", "stopped"), rows)


def _segments(metrics: Mapping[str, Any]) -> str:
    rows = [
        (name, str(part["rows"]), str(part["frauds"]), percent(part["recall"]), percent(part["false_positives"], 2))
        for name, part in metrics["segments"].items()
    ]
    text = "## Per segment (test period)\n\nOne threshold for all: 0.5 % false positives overall. Segments with at "
    text += "least 5 frauds.\n\n"
    return text + table(("segment", "rows", "frauds", "recall", "false positives"), rows)


def _costs(metrics: Mapping[str, Any]) -> str:
    costs = metrics["costs"]
    rows = [
        ("this release", f"{costs['per_1000']:,.0f}"),
        ("its rules alone", f"{costs['per_1000_rules_alone']:,.0f}"),
        ("approving everything", f"{costs['per_1000_approving_all']:,.0f}"),
    ]
    text = "## Costs (test period)\n\n"
    text += f"Thresholds where the calibration period cost least: challenge from {costs['challenge_above']:.2f}, what "
    text += f"rules flag from {costs['flag_escalates_above']:.2f}, decline from {costs['decline_above']:.2f}. "
    text += f"Declines: {costs['alerts_per_1000']:.1f} of 1,000 transactions; the "
    text += f"team can look at {costs['capacity_alerts_per_1000']:g}.\n\n"
    return text + table(("decided by", "cost per 1,000 transactions, base currency"), rows)


def _calibration(metrics: Mapping[str, Any]) -> str:
    calibration = metrics["calibration"]
    text = "## Calibration (test period)\n\n"
    text += f"Expected calibration error {calibration['ece']:.4f} over all rows, "
    text += f"{number(calibration['ece_above_0_1'])} over those scored 0.1 and above; "
    text += f"chance alone would make that {number(calibration['ece_above_0_1_by_chance'])} of perfect scores. "
    near = calibration["near_0_8"]
    text += f"Scored 0.7 to 0.9: {near['count']} rows, mean score {number(near['mean_score'])}, "
    text += f"fraud share {number(near['fraud_share'])}.\n\n"
    text += f"Estimated share of frauds reported by the cut-off: {percent(calibration['reported_share'])}; the scores "
    text += "are of fraud, reported or not.\n\n"
    rows = [
        (
            f"{part['lower']:.1f}-{part['upper']:.1f}",
            str(part["count"]),
            number(part["mean_score"]),
            number(part["fraud_share"]),
        )
        for part in calibration["reliability"]
    ]
    return text + table(("score", "rows", "mean score", "fraud share"), rows)


def _decisions(metrics: Mapping[str, Any]) -> str:
    rows = [
        (side, *(percent(part[choice], 2) for choice in ("APPROVE", "CHALLENGE", "DECLINE")))
        for side, part in metrics["decisions"].items()
    ]
    text = "## Decisions by the policy (test period)\n\n"
    return text + table(("", "APPROVE", "CHALLENGE", "DECLINE"), rows)


def _rules(metrics: Mapping[str, Any]) -> str:
    rules = metrics["rules"]
    rows = [
        (
            f"`{rule}`",
            part["severity"],
            percent(part["share_of_legitimate"], 3),
            percent(part["share_of_fraud"], 2),
            percent(part["precision"]),
            number(part["evidence"]),
            str(part["fraud_fired"]),
        )
        for rule, part in rules["each"].items()
    ]
    text = "## Rules (all rows after the warm-up)\n\n"
    text += f"BLOCK: {percent(rules['blocked_legitimate'], 3)} of legitimate rows, "
    text += f"{percent(rules['blocked_fraud'])} of fraud. FLAG: {percent(rules['flagged_legitimate'], 2)} and "
    text += f"{percent(rules['flagged_fraud'])}. Evidence: log-odds, measured on the training part.\n\n"
    header = ("rule", "severity", "fires on legitimate", "fires on fraud", "precision", "evidence", "frauds hit")
    return text + table(header, rows)


def _importance(metrics: Mapping[str, Any]) -> str:
    rows = [(f"`{name}`", percent(share)) for name, share in list(metrics["importance"].items())[:12]]
    return "## What the trees use (share of total gain)\n\n" + table(("feature", "share"), rows)
