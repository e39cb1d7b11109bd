"""What would have had to be different: the fewest causes without which a transaction would not have been declined.

A cause is a group of features that change together (a new device is also one with no history). Removing it puts usual
values in their place: the account's own mean for the amount, the release's reference distributions for the rest.
Every combination is decided anew by the release, rules and policy included, so an answer is one that holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from assay.errors import AssayError
from assay.features.catalog import NAMES
from assay.features.direct import Row
from assay.release import Release
from assay.schemas.base import FeatureValue
from local.replay.scoring import BatchScorer

Features = dict[str, FeatureValue]
CAUSES: dict[str, tuple[str, ...]] = {
    "amount": ("amount", "amount_to_avg_ratio", "balance_share_moved"),
    "device": ("new_device_flag", "device_seen_before", "accounts_per_device"),
    "address": ("accounts_per_ip_24h",),
    "logins": ("failed_login_count_last_1h", "failed_logins_then_success"),
    "country": ("geo_country", "country_mismatch_flag", "distinct_countries_24h", "travel_speed_kmh"),
    "pace": (
        "tx_count_last_5m",
        "tx_count_last_1h",
        "tx_frequency_ratio",
        "seconds_since_last_tx",
        "account_tx_count_1d",
        "account_tx_count_7d",
    ),
    "counterparty": tuple(name for name in NAMES if "counterpart" in name),
    "history": (
        "avg_tx_amount_7d",
        "account_amount_mean_1d",
        "account_amount_mean_7d",
        "account_amount_mean_30d",
        "account_tx_count_30d",
        "account_age_days",
    ),
    "channel": ("channel", "auth_method", "currency"),
    "time": ("hour_of_day", "is_weekend"),
}
"""Every feature of the catalogue has one."""
CAUSE_OF = {name: cause for cause, names in CAUSES.items() for name in names}


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """`decision` and `fraud_score` that would have been; `changes`: feature -> (as it was, as it would have been)."""

    causes: tuple[str, ...]
    changes: dict[str, tuple[FeatureValue, FeatureValue]]
    decision: str
    fraud_score: float | None


class Counterfactuals:
    """One release, ready to be asked."""

    def __init__(self, release: Release) -> None:
        """Raises `ReleaseError`, `RuleError` or `PolicyError`."""
        self._scorer = BatchScorer(release)
        self._usual = usual_values(json.loads(release.read("reference.json")))

    def without(self, features: Features, causes: tuple[str, ...]) -> Features:
        """The features with these causes removed."""
        changed = dict(features)
        for cause in causes:
            changed.update({name: self._usual[name] for name in CAUSES[cause]})
        if "amount" in causes:
            changed.update(self._usual_amount(features, changed))
        return changed

    def _usual_amount(self, before: Features, changed: Features) -> Features:
        """The account's own mean, where it has one: a usual amount is another for everybody."""
        amount, mean, moved = before.get("amount"), changed.get("avg_tx_amount_7d"), before.get("balance_share_moved")
        if not isinstance(amount, int | float) or not isinstance(mean, int | float) or amount <= 0 or mean <= 0:
            return {}
        usual = min(float(mean), float(amount))
        share = float(moved) * usual / float(amount) if isinstance(moved, int | float) else None
        return {"amount": usual, "amount_to_avg_ratio": usual / float(mean), "balance_share_moved": share}

    def find(self, features: Features) -> Counterfactual | None:
        """The fewest causes; among equally many the milder decision, then the lower score.

        None: nothing would do, or the release does not decline these features (a deny list did, or a part was missing).
        """
        sets = [causes for size in range(len(CAUSES) + 1) for causes in combinations(CAUSES, size)]
        without = [self.without(features, causes) for causes in sets]
        answers = self._scorer.score([_row(each) for each in without])
        order = {"APPROVE": 0, "CHALLENGE": 1}
        ranked = [
            (len(causes), order[decision], 1.0 if score is None else score, index)
            for index, (causes, decision, score) in enumerate(
                zip(sets, answers["decision"], answers["fraud_score"], strict=True)
            )
            if decision in order
        ]
        index = min(ranked)[-1] if ranked else 0
        if not sets[index]:
            return None
        changes = {
            name: (features.get(name), value) for name, value in without[index].items() if value != features.get(name)
        }
        return Counterfactual(sets[index], changes, answers["decision"][index], answers["fraud_score"][index])


def usual_values(reference: dict[str, Any]) -> Features:
    """Per feature the median, or the most common category, of a release's reference.json. Raises AssayError."""
    try:
        return {name: _usual(reference["features"][name]) for name in NAMES}
    except (KeyError, TypeError, ValueError) as error:
        raise AssayError(f"reference.json does not tell what is usual: {error}") from error


def _usual(distribution: dict[str, Any]) -> FeatureValue:
    """Of a number, the upper edge of the bin that the median is in; the last bin has none, so its lower edge."""
    shares = distribution["shares"]
    if distribution["kind"] == "category":
        return str(max(shares, key=lambda name: shares[name]))
    edges, known, half = distribution["edges"], 0.0, sum(shares) / 2
    for edge, share in zip(edges, shares, strict=False):
        known += share
        if known >= half - 1e-9:
            return float(edge)
    return float(edges[-1]) if edges else None


def _row(features: Features) -> Row:
    return tuple(features.get(name) for name in NAMES)
