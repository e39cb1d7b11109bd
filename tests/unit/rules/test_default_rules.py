"""The default file: every rule at and around its threshold, escalation, overlaps."""

from __future__ import annotations

from pathlib import Path

import pytest

import training
from assay.rules.ruleset import RuleSet
from assay.schemas.stages import RulesFlag

RULES = RuleSet.load((Path(training.__file__).parent / "defaults" / "rules.yaml").read_bytes())
QUIET: dict[str, float | str | None] = {
    "tx_count_last_5m": 1.0,
    "tx_count_last_1h": 2.0,
    "tx_frequency_ratio": 0.9,
    "amount": 95.0,
    "avg_tx_amount_7d": 110.0,
    "amount_to_avg_ratio": 0.86,
    "new_device_flag": 0.0,
    "device_seen_before": 1.0,
    "country_mismatch_flag": 0.0,
    "accounts_per_device": 1.0,
    "accounts_per_ip_24h": 1.0,
    "failed_login_count_last_1h": 0.0,
    "failed_logins_then_success": 0.0,
    "channel": "mobile",
    "auth_method": "biometric",
    "geo_country": "GH",
    "currency": "GHS",
}
NEW_DEVICE: dict[str, float | str | None] = {"new_device_flag": 1.0}
# rule, severity, input, below, at its threshold (passes: strict), just above, what else the rule needs
THRESHOLDS = [
    ("velocity_burst_5m", "BLOCK", "tx_count_last_5m", 4.0, 5.0, 6.0, {}),
    ("velocity_high_1h", "FLAG", "tx_count_last_1h", 9.0, 10.0, 11.0, {}),
    ("velocity_frequency_spike", "FLAG", "tx_frequency_ratio", 2.99, 3.0, 3.01, {}),
    ("amount_large", "FLAG", "amount", 9999.99, 10000.0, 10000.01, {}),
    ("amount_ratio_spike", "FLAG", "amount_to_avg_ratio", 4.99, 5.0, 5.01, {}),
    ("amount_extreme_ratio", "BLOCK", "amount_to_avg_ratio", 19.99, 20.0, 20.01, {}),
    ("new_device_with_failed_logins", "BLOCK", "failed_login_count_last_1h", 1.0, 2.0, 3.0, NEW_DEVICE),
    ("device_farming", "BLOCK", "accounts_per_device", 9.0, 10.0, 11.0, {}),
    ("device_multi_account", "FLAG", "accounts_per_device", 2.0, 3.0, 4.0, {}),
    ("ip_multi_account", "FLAG", "accounts_per_ip_24h", 4.0, 5.0, 6.0, {}),
    ("ip_botnet", "BLOCK", "accounts_per_ip_24h", 19.0, 20.0, 21.0, {}),
    ("brute_force_login", "FLAG", "failed_login_count_last_1h", 2.0, 3.0, 4.0, {}),
    ("geo_country_mismatch", "FLAG", "country_mismatch_flag", 0.0, 0.0, 1.0, {}),
    ("new_device_flag", "FLAG", "new_device_flag", 0.0, 0.0, 1.0, {}),
    ("failed_logins_then_success", "FLAG", "failed_logins_then_success", 0.0, 0.0, 1.0, {}),
    ("weak_auth_new_device", "FLAG", "auth_method", "otp", "password", "pin", NEW_DEVICE),
]


def fired(features: dict[str, float | str | None]) -> list[str]:
    return [rule.id for rule in RULES.evaluate(features).fired]


def test_sixteen_rules_of_six_groups() -> None:
    assert [rule.id for rule in RULES.rules] == sorted(
        (row[0] for row in THRESHOLDS), key=[rule.id for rule in RULES.rules].index
    )
    assert len(RULES.rules) == len(THRESHOLDS) == 16
    assert sum(rule.severity is RulesFlag.BLOCK for rule in RULES.rules) == 5
    groups = [rule.category for rule in RULES.rules]
    assert {group: groups.count(group) for group in groups} == {
        "Velocity": 3, "Amount": 3, "Geo": 1, "Device": 4, "IP": 2, "Auth": 3
    }  # fmt: skip
    assert RULES.escalation_count == 7


@pytest.mark.parametrize(("rule", "severity", "name", "below", "at", "above", "also"), THRESHOLDS)
def test_rule_around_its_threshold(rule, severity, name, below, at, above, also) -> None:
    for value in (below, at):
        assert rule not in fired({**QUIET, **also, name: value})
    result = RULES.evaluate({**QUIET, **also, name: above})
    (found,) = [entry for entry in result.fired if entry.id == rule]
    assert found.severity.value == severity
    assert result.rules_flag is RulesFlag.BLOCK if severity == "BLOCK" else RulesFlag.FLAG


@pytest.mark.parametrize(("rule", "severity", "name", "below", "at", "above", "also"), THRESHOLDS)
def test_a_missing_input_is_not_a_pass(rule, severity, name, below, at, above, also) -> None:
    without = {key: value for key, value in {**QUIET, **also}.items() if key != name}
    for features in (without, {**QUIET, **also, name: None}, {**QUIET, **also, name: float("nan")}):
        result = RULES.evaluate(features)
        assert rule in result.not_evaluated
        assert rule not in [entry.id for entry in result.fired]


def test_only_what_depends_on_the_missing_input_is_not_evaluated() -> None:
    result = RULES.evaluate({**QUIET, "auth_method": None})  # the device is not new: the method does not matter
    assert result.not_evaluated == []
    result = RULES.evaluate({**QUIET, "failed_login_count_last_1h": None})
    assert result.not_evaluated == ["brute_force_login"]


def test_quiet_is_allowed_and_nothing_known_is_not_evaluated() -> None:
    result = RULES.evaluate(QUIET)
    assert (result.rules_flag, result.fired, result.not_evaluated, result.total_rules) == (RulesFlag.ALLOW, [], [], 16)
    assert len(RULES.evaluate({}).not_evaluated) == 16


def test_a_value_of_the_wrong_kind_is_not_evaluated() -> None:
    result = RULES.evaluate({**QUIET, "amount": "95", "auth_method": 3.0, "new_device_flag": 1.0})
    assert result.not_evaluated == ["amount_large", "weak_auth_new_device"]
    assert [rule.id for rule in result.fired] == ["new_device_flag"]


SEVEN_FLAGS: dict[str, float | str | None] = {
    **QUIET,
    "tx_count_last_1h": 11.0,
    "tx_frequency_ratio": 4.0,
    "amount": 15000.0,
    "amount_to_avg_ratio": 6.5,
    "country_mismatch_flag": 1.0,
    "accounts_per_device": 4.0,
    "accounts_per_ip_24h": 6.0,
}


def test_seven_flags_are_a_block() -> None:
    result = RULES.evaluate(SEVEN_FLAGS)
    assert len(result.fired) == 7
    assert all(rule.severity is RulesFlag.FLAG for rule in result.fired)
    assert (result.rules_flag, result.escalated) == (RulesFlag.BLOCK, True)


def test_six_flags_are_a_flag() -> None:
    result = RULES.evaluate({**SEVEN_FLAGS, "accounts_per_ip_24h": 5.0})
    assert len(result.fired) == 6
    assert (result.rules_flag, result.escalated) == (RulesFlag.FLAG, False)


def test_rules_that_were_not_evaluated_count_in_the_denominator() -> None:
    six_known = {name: value for name, value in SEVEN_FLAGS.items() if name != "accounts_per_ip_24h"}
    assert RULES.evaluate(six_known).rules_flag is RulesFlag.FLAG


def test_a_block_rule_is_not_called_an_escalation() -> None:
    result = RULES.evaluate({**SEVEN_FLAGS, "tx_count_last_5m": 6.0})
    assert (result.rules_flag, result.escalated) == (RulesFlag.BLOCK, False)


@pytest.mark.parametrize(
    ("name", "value", "also", "stronger", "weaker"),
    [
        ("amount_to_avg_ratio", 21.0, {}, "amount_extreme_ratio", "amount_ratio_spike"),
        ("accounts_per_device", 11.0, {}, "device_farming", "device_multi_account"),
        ("accounts_per_ip_24h", 21.0, {}, "ip_botnet", "ip_multi_account"),
        ("failed_login_count_last_1h", 3.0, NEW_DEVICE, "new_device_with_failed_logins", "new_device_flag"),
    ],
)
def test_overlapping_rules_fire_together(name, value, also, stronger, weaker) -> None:
    assert {stronger, weaker} <= set(fired({**QUIET, **also, name: value}))


def test_texts_hold_the_values_and_customers_read_no_number() -> None:
    (rule,) = [rule for rule in RULES.evaluate({**QUIET, "amount": 12345.5}).fired if rule.id == "amount_large"]
    assert rule.analyst_text == "amount 12,345.5 in the base currency (more than 10,000)"
    assert not any(character.isdigit() for rule in RULES.rules for character in rule.customer_text)
