"""Rules files that must not be served, and what the engine's bootstrap makes of a release."""

from __future__ import annotations

import pytest

from assay.errors import ReleaseError, RuleError
from assay.rules.ruleset import RuleSet
from assay.schemas.stages import RulesFlag, ScoringInput
from functions.rules_engine.bootstrap import build

RULE = """
  - id: {id}
    name: {name}
    category: Amount
    severity: {severity}
    when: {when}
    analyst_text: {analyst}
    customer_text: {customer}
"""


def file_of(*rules: dict[str, str], head: str = "version: 1\nescalation: 0.4\n") -> str:
    defaults = {
        "id": "large",
        "name": "Large",
        "severity": "FLAG",
        "when": "amount > 10",
        "analyst": "a",
        "customer": "c",
    }
    return head + "rules:" + "".join(RULE.format(**{**defaults, **rule}) for rule in rules)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"when": "amout > 10"}, "(large): when: column 1: `amout`: no such feature; did you mean 'amount'"),
        ({"when": "amount > 10 and amount < 5"}, "can never fire"),
        ({"when": "new_device_flag > 1"}, "can never fire"),
        ({"when": "'False'"}, "can never fire"),
        ({"when": "amount > 5 or amount <= 5"}, "fires on every transaction"),
        ({"when": "tx_count_last_5m >= 0"}, "fires on every transaction"),
        ({"when": "amount > 10 or (amount > 5 and amount < 3)"}, "(amount > 5 and amount < 3)"),
        ({"when": "\"__import__('os')\""}, "(large): when:"),
        ({"when": "1"}, "rules[0].when"),
        ({"severity": "WARN"}, "rules[0].severity"),
        ({"id": "Large-1"}, "rules[0].id"),
        ({"id": "fired"}, "reserved"),
        ({"analyst": '"{amout}"'}, "did you mean 'amount'"),
        ({"analyst": '"{amount.real}"'}, "brace"),
        ({"analyst": '"{amount!r}"'}, "brace"),
        ({"customer": '"{amount}"'}, "analyst only"),
        ({"customer": "more than 10 euros"}, "reveals the threshold 10"),
        ({"customer": "your tx_count_last_5m is high"}, "names the feature"),
        ({"customer": '"a\\nb"'}, "customer_text"),
    ],
)
def test_a_wrong_rule_is_named(rule: dict[str, str], message: str) -> None:
    with pytest.raises(RuleError) as problem:
        RuleSet.load(file_of(rule))
    assert message in str(problem.value)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"id": "large", "name": "Other", "when": "amount > 11"}, "rules[1] (large): id: given twice"),
        ({"id": "other", "name": "Large", "when": "amount > 11"}, "the same as that of large"),
        ({"id": "other", "name": "Other", "when": "10 < amount"}, "the same condition as large"),
    ],
)
def test_duplicates_are_refused(second: dict[str, str], message: str) -> None:
    with pytest.raises(RuleError) as problem:
        RuleSet.load(file_of({}, second))
    assert message in str(problem.value)


BOMB = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a",
        "version: 1",
        "version: 1\nversion: 2",
        file_of({}, head="version: 1\nescalation: 0\n"),
        file_of({}, head="version: 1\nescalation: .nan\n"),
        file_of({}, head="version: 1\nescalation: true\n"),
        file_of({}, head="version: '1'\nescalation: 0.4\n"),
        file_of({}, head="version: 1\nescalation: 0.4\nextra: 1\n"),
        file_of({}).replace("    category:", "    id: again\n    category:"),
        "version: 1\nescalation: 0.4\nrules: []",
        BOMB,
        "x: !!python/object/apply:os.system ['true']",
        "x: !!binary aGk=",
        "<<: {a: 1}\nb: 2",
        "? [a]\n: b",
        "1: a",
        "x: 2020-13-45",
        "x: " + "[" * 50 + "]" * 50,
        "x: " + "[" * 100_000,
        "x: " + "a" * 10_000_000,
        "x: \x07",
        "a: b: c",
        "x: " + "9" * 5000,
        b"\xff\xfe\x00",
        b"x: \xc3\x28",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_hostile_files_are_refused(text: str | bytes) -> None:
    with pytest.raises(RuleError, match=r"rules\.yaml"):
        RuleSet.load(text)


@pytest.mark.parametrize("evidence", [float("nan"), float("inf"), "2", True, None, [1]])
def test_evidence_is_a_finite_number(evidence: float) -> None:
    with pytest.raises(RuleError, match="evidence"):
        RuleSet.load(file_of({}), {"large": evidence})


def test_a_value_is_put_in_once() -> None:
    rules = RuleSet.load(
        file_of({"when": "channel == 'web' or amount > 1", "analyst": '"{channel}: {amount}, {hour_of_day}"'})
    )
    (rule,) = rules.evaluate({"channel": "{amount}\n", "amount": 2.5}).fired
    assert rule.analyst_text == "{amount}: 2.5, unknown"


class Files(dict[str, bytes]):
    def read(self, name: str) -> bytes:
        try:
            return self[name]
        except KeyError:
            raise ReleaseError(name) from None


def test_bootstrap_joins_rules_and_evidence() -> None:
    engine = build(Files({"rules.yaml": file_of({}).encode(), "rule_evidence.json": b'{"large": 1.5, "gone": 2}'}))
    result = engine.evaluate(ScoringInput(transaction_id="t", features={"amount": 11.0}))
    assert result.rules_flag is RulesFlag.BLOCK  # one of one is above 40 %
    assert result.fired[0].evidence == 1.5


@pytest.mark.parametrize("evidence", [b"", b"[]", b"{", b"[" * 100_000, b'{"large": "x"}', b'{"large": NaN}'])
def test_bootstrap_refuses_wrong_evidence(evidence: bytes) -> None:
    with pytest.raises(RuleError):
        build(Files({"rules.yaml": file_of({}).encode(), "rule_evidence.json": evidence}))
