"""One part or several fail, in every way: the right row of the degradation table, and whole again without a restart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.harness import problems
from tests.harness.faults import (
    ERRORS,
    FAULTS,
    MODELS,
    NO_ANSWERS,
    SLOW_S,
    UNREADABLE,
    Laboratory,
    failing,
    payment,
    run,
    slow,
    unreachable,
)

RULES, DECISION = "rules_engine", "decision_engine"
UNDER_FLOOR, OVER_FLOOR, OVER_CEILING = 24.9, 31.0, 101.0
SLOW_US = SLOW_S * 1e6


async def whole(lab: Laboratory) -> None:
    """Nothing is broken any more."""
    lab.break_(None)
    verdict = await lab.score()
    assert (verdict["decision"], verdict["degraded"]) == ("APPROVE", [])
    assert verdict["fraud_score"] is not None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", [ERRORS, NO_ANSWERS, UNREADABLE], ids=["errors", "no answers", "unreadable"])
def test_without_one_model(tmp_path: Path, model: str, kind: dict[str, Any]) -> None:
    async def scenario(lab: Laboratory) -> None:
        for name, fault in kind.items():
            lab.break_(fault, model)
            for amount in (UNDER_FLOOR, OVER_CEILING):
                verdict = await lab.score(amount)
                assert verdict["degraded"] == [model], name
                missing = model == "xgboost_classifier"
                assert verdict["decision"] == ("CHALLENGE" if missing and amount > 100 else "APPROVE"), name
                assert (verdict["fraud_score"] is None) is missing
            await whole(lab)

    run(tmp_path, scenario, *MODELS)


@pytest.mark.parametrize("missing", [*combinations(MODELS, 2), MODELS], ids="+".join)
@pytest.mark.parametrize("fault", [failing, unreachable])
def test_without_several_models(tmp_path: Path, missing: tuple[str, ...], fault: Any) -> None:
    async def scenario(lab: Laboratory) -> None:
        lab.break_(fault, *missing)
        approved = await lab.score(UNDER_FLOOR)
        assert (approved["decision"], approved["degraded"]) == ("APPROVE", list(missing))
        challenged = await lab.score(OVER_FLOOR)
        assert (challenged["decision"], challenged["triggered_by"]) == ("CHALLENGE", "STAND_IN")
        assert challenged["degraded"] == list(missing)
        assert {reason["code"] for reason in challenged["reasons"]} == {f"stand_in:{name}" for name in missing}
        await whole(lab)

    run(tmp_path, scenario, *MODELS)


def test_stand_in_approvals_of_an_account_end_until_it_is_decided_whole(tmp_path: Path) -> None:
    calm = {"tx_count_last_5m": 1, "tx_count_last_1h": 1, "tx_frequency_ratio": 1.0, "new_device_flag": 0}

    async def scenario(lab: Laboratory) -> None:
        async def of(account: str) -> str:
            return str((await lab.score(UNDER_FLOOR, account_id=account, features=calm))["decision"])

        lab.break_(failing, *MODELS)
        assert [await of("one") for _ in range(5)] == ["APPROVE"] * 4 + ["CHALLENGE"]  # the fifth would pass 100
        assert await of("another") == "APPROVE"
        lab.break_(None)
        assert await of("one") == "APPROVE"
        lab.break_(failing, *MODELS)
        assert await of("one") == "APPROVE"

    run(tmp_path, scenario, *MODELS)


def test_without_the_rules(tmp_path: Path) -> None:
    async def scenario(lab: Laboratory) -> None:
        for name, fault in FAULTS.items():
            lab.break_(fault, RULES)
            for amount, decision in ((UNDER_FLOOR, "APPROVE"), (OVER_FLOOR, "CHALLENGE")):
                verdict = await lab.score(amount)
                assert (verdict["decision"], verdict["degraded"]) == (decision, [RULES]), name
                assert verdict["rules_flag"] is None
                assert verdict["fraud_score"] is not None
            await whole(lab)

    run(tmp_path, scenario, RULES)


def test_a_blocked_transaction_needs_no_model(tmp_path: Path) -> None:
    async def scenario(lab: Laboratory) -> None:
        lab.break_(failing, *MODELS)
        verdict = await lab.score(features={"accounts_per_device": 14})
        assert (verdict["decision"], verdict["degraded"], verdict["is_early_exit"]) == ("DECLINE", [], True)
        assert sum(part.asked for part in lab.parts.values()) == 0

    run(tmp_path, scenario, *MODELS)


def test_without_a_decision_there_is_none_and_nothing_counts(tmp_path: Path) -> None:
    async def scenario(lab: Laboratory) -> None:
        body = payment(account_id="undecided")
        for name, fault in {**FAULTS, "slow": slow}.items():
            lab.break_(fault, DECISION)
            answer = await lab.post(body)
            statuses = [503] if name in ("unreachable", "slow") else [502, 503] if name == "torn" else [502]
            wrong = problems.faults(answer.status_code, answer.headers, answer.content, statuses=statuses)
            assert not wrong, (name, wrong)
            assert answer.headers["retry-after"] == "1"
            assert [lab.rows(table) for table in ("decisions", "activity", "outbox")] == [0, 0, 0]
        assert lab.parts[DECISION].cancelled == 1
        lab.break_(None)
        assert (await lab.post(body)).json()["degraded"] == []
        await lab.counted("undecided", 2)

    run(tmp_path, scenario, DECISION)


@pytest.mark.parametrize("late", [(RULES,), *((model,) for model in MODELS), MODELS, (RULES, *MODELS)], ids="+".join)
def test_what_is_slow_is_done_without_in_time(tmp_path: Path, late: tuple[str, ...]) -> None:
    """Asked, given up before it could answer, and what came after it still had its time."""

    async def scenario(lab: Laboratory) -> None:
        lab.break_(slow, *late)
        verdict = await lab.score(OVER_CEILING)
        assert verdict["degraded"] == list(late)
        assert verdict["timings_us"]["total"] < SLOW_US
        assert [lab.parts[name].cancelled for name in late] == [1] * len(late)
        spared = set(lab.parts) - set(late)
        assert all(lab.parts[name].cancelled == 0 for name in spared)
        single_anomaly_model = len(late) == 1 and late[0] in MODELS[:2]
        assert verdict["decision"] == ("APPROVE" if single_anomaly_model else "CHALLENGE")
        await whole(lab)

    run(tmp_path, scenario, RULES, *MODELS)


def test_a_flapping_model_is_missed_only_when_it_is_away(tmp_path: Path) -> None:
    async def scenario(lab: Laboratory) -> None:
        for n in range(30):
            away = MODELS[n % 3 : n % 3 + 1] if n % 2 else ()
            lab.break_(unreachable, *away)
            assert (await lab.score())["degraded"] == list(away)

    run(tmp_path, scenario, *MODELS)
