"""Policies that must not be served are refused with the key's name."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from assay.errors import PolicyError, ReleaseError
from assay.policy import Policy
from functions.decision_engine.bootstrap import build
from tests.unit.decision.cases import POLICY, POLICY_TEXT


def changed(path: str, value: Any) -> str:
    document = yaml.safe_load(POLICY_TEXT)
    *parents, last = path.split(".")
    place = document
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return yaml.safe_dump(document)


def test_the_default_policy_is_seed_bs() -> None:
    assert (POLICY.decline_above, POLICY.challenge_above) == (0.80, 0.50)
    assert POLICY.flag_escalates
    assert POLICY.flag_escalates_above == 0.0
    assert (POLICY.confidence.high.above, POLICY.confidence.high.below) == (0.85, 0.15)
    assert (POLICY.confidence.medium.above, POLICY.confidence.medium.below) == (0.65, 0.35)
    assert POLICY.boost_to_decline_when_both_flag
    assert (POLICY.mode, POLICY.deadline_ms, POLICY.base_currency, POLICY.deny_list) == ("stand_in", 800, "EUR", [])
    assert (POLICY.stand_in.single, POLICY.stand_in.cumulative, POLICY.stand_in.count) == (30.0, 100.0, 5)
    assert POLICY.stand_in.without_xgboost_ceiling == 100.0
    assert POLICY.degraded.isolation_forest_alone is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("decline_above", ..., "decline_above: Field required"),
        ("decline_abov", 0.8, "decline_abov: unknown key; did you mean 'decline_above'?"),
        ("stand_in.singel", 1.0, "stand_in.singel: unknown key"),
        ("decline_above", "0.8", "decline_above"),
        ("decline_above", True, "decline_above"),
        ("decline_above", 1.1, "decline_above"),
        ("decline_above", float("nan"), "decline_above"),
        ("challenge_above", 0.81, "challenge_above must be not above decline_above"),
        ("confidence.medium.above", 0.9, "confidence.medium.above"),
        ("confidence.medium.below", 0.1, "confidence.medium.below"),
        ("confidence.medium.below", 0.7, "confidence.medium.below"),
        ("flag_escalates", 1, "flag_escalates"),
        ("flag_escalates", "yes", "flag_escalates"),
        ("flag_escalates_above", 0.51, "flag_escalates_above must be not above challenge_above"),
        ("flag_escalates_above", -0.01, "flag_escalates_above"),
        ("flag_escalates_above", None, "flag_escalates_above"),
        ("mode", "lenient", "mode"),
        ("deadline_ms", 0, "deadline_ms"),
        ("deadline_ms", 800.5, "deadline_ms"),
        ("base_currency", "EURO", "base_currency"),
        ("deny_list", [123], "deny_list[0]"),
        ("deny_list", ["a b"], "deny_list[0]"),
        ("deny_list", "abc", "deny_list"),
        ("stand_in.single", -1.0, "stand_in.single"),
        ("stand_in.single", 101.0, "stand_in.single must be not above"),
        ("stand_in.count", 5.5, "stand_in.count"),
        ("degraded.autoencoder_alone", 0.0, "degraded.autoencoder_alone"),
        ("degraded.without_xgboost.isolation_forest", float("inf"), "degraded.without_xgboost.isolation_forest"),
        ("max_reasons", 0, "max_reasons"),
    ],
)
def test_a_wrong_key_is_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(PolicyError) as problem:
        Policy.load(changed(path, value))
    assert message in str(problem.value)
    assert str(problem.value).startswith("policy.yaml: ")


def test_a_policy_from_before_flags_had_a_threshold_escalates_all() -> None:
    assert Policy.load(changed("flag_escalates_above", ...)) == POLICY


@pytest.mark.parametrize("text", ["", "[]", "a: 1\na: 2", "a: &x 1\nb: *x", "x: " + "a" * 10_000_000, b"\xff"])
def test_hostile_files_are_refused(text: str | bytes) -> None:
    with pytest.raises(PolicyError):
        Policy.load(text)


class Files(dict[str, bytes]):
    def read(self, name: str) -> bytes:
        try:
            return self[name]
        except KeyError:
            raise ReleaseError(name) from None


def test_bootstrap() -> None:
    release = Files({"policy.yaml": POLICY_TEXT.encode()})
    assert build(release).policy == Policy.of(release) == POLICY
    with pytest.raises(ReleaseError):
        build(Files())
