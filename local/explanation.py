"""`assay explain`: the reasons of a recorded verdict, and of a decline the counterfactual, by the release of then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.schemas.event import TRANSACTION_SCORED
from assay.texts import plain_value
from local.audit.records import find
from local.audit.redecide import recorded_release
from local.counterfactual import Counterfactual, Counterfactuals
from local.places import Places


@dataclass(frozen=True, slots=True)
class Explanation:
    """`counterfactual` is None where nothing was declined, or where no change of causes would have helped."""

    decision: str
    triggered_by: str
    fraud_score: float | None
    reasons: list[dict[str, Any]]
    counterfactual: Counterfactual | None


def explanation(places: Places, transaction: str, client: str | None) -> Explanation:
    """From the audit log. Raises `AssayError`: no such record, or its release is not here."""
    record = find(places, transaction, client, TRANSACTION_SCORED)
    verdict = record.event["verdict"]
    other = None
    if verdict["decision"] == "DECLINE":
        other = Counterfactuals(recorded_release(places, record)).find(record.event["features"])
    score = verdict.get("fraud_score")
    return Explanation(verdict["decision"], verdict["triggered_by"], score, verdict.get("reasons", []), other)


def told(found: Explanation) -> str:
    """For people."""
    score = "" if found.fraud_score is None else f", fraud score {found.fraud_score:.3f}"
    lines = [f"{found.decision} by {found.triggered_by}{score}"]
    lines += [f"  {reason['weight']:+.2f}  {reason['analyst_text']}" for reason in found.reasons]
    other = found.counterfactual
    if other is not None:
        score = "" if other.fraud_score is None else f", fraud score {other.fraud_score:.3f}"
        lines.append(f"{other.decision}{score}, were it not for: {', '.join(other.causes)}")
        lines += [
            f"  {name}: {plain_value(before)} -> {plain_value(after)}"
            for name, (before, after) in sorted(other.changes.items())
        ]
    elif found.decision == "DECLINE":
        lines.append("no change of its causes would have changed the decision, or more than the features decided it")
    return "\n".join(lines)
