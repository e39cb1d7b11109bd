"""Seed B's 16 rules and its decision table, as plain Python functions, the way its services hold them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks.baseline.schemas import DecideRequest, FraudVerdict, RulesResult, Transaction

Rule = tuple[str, str, Callable[[Transaction], bool]]
RULES: tuple[Rule, ...] = (
    ("velocity_burst_5m", "BLOCK", lambda tx: tx.tx_count_last_5m > 5),
    ("velocity_high_1h", "FLAG", lambda tx: tx.tx_count_last_1h > 10),
    ("velocity_frequency_spike", "FLAG", lambda tx: tx.tx_frequency_ratio > 3.0),
    ("amount_large", "FLAG", lambda tx: tx.amount > 10_000),
    ("amount_ratio_spike", "FLAG", lambda tx: tx.amount_to_avg_ratio > 5.0),
    ("amount_extreme_ratio", "BLOCK", lambda tx: tx.amount_to_avg_ratio > 20.0),
    ("geo_country_mismatch", "FLAG", lambda tx: tx.country_mismatch_flag == 1),
    (
        "new_device_with_failed_logins",
        "BLOCK",
        lambda tx: tx.new_device_flag == 1 and tx.failed_login_count_last_1h > 2,
    ),
    ("new_device_flag", "FLAG", lambda tx: tx.new_device_flag == 1),
    ("device_farming", "BLOCK", lambda tx: tx.accounts_per_device > 10),
    ("device_multi_account", "FLAG", lambda tx: tx.accounts_per_device > 3),
    ("ip_multi_account", "FLAG", lambda tx: tx.accounts_per_ip_24h > 5),
    ("ip_botnet", "BLOCK", lambda tx: tx.accounts_per_ip_24h > 20),
    ("brute_force_login", "FLAG", lambda tx: tx.failed_login_count_last_1h > 3),
    ("failed_logins_then_success", "FLAG", lambda tx: tx.failed_logins_then_success == 1),
    ("weak_auth_new_device", "FLAG", lambda tx: tx.auth_method == "pin" and tx.new_device_flag == 1),
)


def now() -> str:
    """The time, as the services write it."""
    return datetime.now(UTC).isoformat()


def evaluate(tx: Transaction) -> RulesResult:
    """All 16 rules; any BLOCK or 40 % of them block."""
    fired = [(name, severity) for name, severity, fires in RULES if fires(tx)]
    blocks = [name for name, severity in fired if severity == "BLOCK"]
    share = len(fired) / len(RULES)
    return RulesResult(
        rules_flag="BLOCK" if blocks or share >= 0.40 else "FLAG" if fired else "ALLOW",
        triggered_rules=[name for name, _ in fired],
        block_rules_hit=blocks,
        flag_rules_hit=[name for name, severity in fired if severity == "FLAG"],
        total_rules=len(RULES),
        rules_failed=len(fired),
        failure_pct=round(share, 4),
    )


def confidence(score: float) -> str:
    """The bands of the seed's configuration."""
    if score >= 0.85 or score <= 0.15:
        return "HIGH"
    return "MEDIUM" if score >= 0.65 or score <= 0.35 else "LOW"


def outcome(request: DecideRequest) -> tuple[str, str]:
    """Decision and what triggered it; the first row that matches."""
    score = min(1.0, max(0.0, request.fraud_score))
    both = request.if_score < 0.0 and request.ae_error > 0.31
    if score >= 0.80:
        return "DECLINE", "ML_SCORE"
    if both and score >= 0.50:
        return "DECLINE", "ML_SCORE+IF_ANOMALY+AE_RECONSTRUCTION"
    if request.rules_flag == "FLAG":
        return "CHALLENGE", "ML_SCORE+RULES_FLAG" if score >= 0.50 else "RULES_FLAG"
    if score >= 0.50:
        return "CHALLENGE", "ML_SCORE"
    return ("CHALLENGE", "IF_ANOMALY+AE_RECONSTRUCTION") if both else ("APPROVE", "ML_SCORE")


def decide(request: DecideRequest) -> FraudVerdict:
    """The whole verdict."""
    decision, triggered_by = outcome(request)
    return FraudVerdict(
        decision=decision,
        is_early_exit=False,
        fraud_score=round(request.fraud_score, 6),
        anomaly_score=round(request.if_score, 6),
        reconstruction_error=round(request.ae_error, 6),
        confidence=confidence(request.fraud_score),
        triggered_by=triggered_by,
        reason=f"fraud score {request.fraud_score:.4f}, rules {request.rules_flag}",
        timestamp=now(),
    )


def early_exit(rules: RulesResult) -> FraudVerdict:
    """What a blocking rule gives at once."""
    return FraudVerdict(
        decision="DECLINE",
        is_early_exit=True,
        fraud_score=None,
        anomaly_score=None,
        reconstruction_error=None,
        confidence="HIGH",
        triggered_by="RULES_BLOCK_EARLY_EXIT",
        reason=", ".join(rules.triggered_rules),
        timestamp=now(),
    )
