"""The deny list of frozen accounts as the pipeline asks it: it declines, it fails, it is too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.errors import StageUnavailable, StorageError
from assay.problems import Problem
from assay.schemas.verdict import FraudVerdict, ReleaseRef
from assay.stage_client import StageClient, Transport
from assay.stages import Stage
from functions.orchestrator.pipeline import Pipeline, Settings
from tests.unit.orchestrator.test_pipeline import GOOD, RATES, submission


class Asked:
    """A deny list that does what it is told."""

    def __init__(self, answer: Callable[[str], Awaitable[bool]]) -> None:
        self._answer = answer
        self.accounts: list[str] = []

    async def denies(self, account: str) -> bool:
        self.accounts.append(account)
        return await self._answer(account)


async def frozen(account: str) -> bool:
    return account == "frozen"


async def unreadable(_: str) -> bool:
    raise StorageError("gone")


async def silent(_: str) -> bool:
    await asyncio.Event().wait()
    raise AssertionError


def score(
    tmp_path: Path,
    deny_list: Asked,
    strict: bool = False,
    deadline_s: float = 5.0,
    remote: dict[str, Transport] | None = None,
    **body: object,
) -> FraudVerdict:
    async def main() -> bytes:
        ledger = SqliteLedger(tmp_path / "assay.db")
        settings = Settings(ReleaseRef(version="1", hash="h"), deadline_s, RATES, strict, frozenset({"denied"}))
        stores = SqliteProfileStore(ledger), SqliteDecisionStore(ledger)
        pipeline = Pipeline(StageClient(GOOD, remote), *stores, settings, deny_list=deny_list)
        try:
            return await pipeline.score(submission(**body))  # type: ignore[arg-type]
        finally:
            await ledger.close()

    return FraudVerdict.model_validate_json(asyncio.run(main()))


@pytest.mark.parametrize(("account", "decision"), [("frozen", "DECLINE"), ("free", "APPROVE")])
def test_a_frozen_account_is_declined(tmp_path: Path, account: str, decision: str) -> None:
    verdict = score(tmp_path, Asked(frozen), account_id=account)
    assert (verdict.decision, verdict.degraded) == (decision, [])
    if account == "frozen":
        assert (verdict.triggered_by, [reason.code for reason in verdict.reasons]) == ("DENY_LIST", ["rule:deny_list"])


def test_it_is_about_the_account_alone(tmp_path: Path) -> None:
    asked = Asked(frozen)
    verdict = score(tmp_path, asked, account_id="free", counterparty_id="frozen", device_id="frozen")
    assert (verdict.decision, asked.accounts) == ("APPROVE", ["free"])


def test_what_the_policy_denies_is_not_asked_about(tmp_path: Path) -> None:
    asked = Asked(unreadable)
    verdict = score(tmp_path, asked, counterparty_id="denied")
    assert (verdict.triggered_by, verdict.degraded, asked.accounts) == ("DENY_LIST", [], [])


@pytest.mark.parametrize("answer", [unreadable, silent])
@pytest.mark.parametrize(("amount", "decision"), [(20.0, "APPROVE"), (31.0, "CHALLENGE")])
def test_an_unknown_deny_list_challenges_above_the_floor(
    tmp_path: Path, answer: Callable[[str], Awaitable[bool]], amount: float, decision: str
) -> None:
    verdict = score(tmp_path, Asked(answer), amount=amount, deadline_s=1.0)
    assert (verdict.decision, verdict.degraded) == (decision, ["deny_list"])
    assert [reason.code for reason in verdict.reasons] == (["stand_in:deny_list"] if decision == "CHALLENGE" else [])


@pytest.mark.parametrize("answer", [unreadable, silent])
def test_strict_mode_gives_no_verdict_without_it(tmp_path: Path, answer: Callable[[str], Awaitable[bool]]) -> None:
    with pytest.raises(Problem) as refused:
        score(tmp_path, Asked(answer), strict=True, deadline_s=1.0)
    assert refused.value.status == 503


class AfterTheDenyList:
    """A stage elsewhere whose answer comes when the deny list was asked, and never before."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def send(self, stage: Stage[Any, Any], request: Any) -> Any:
        while not self._asked.accounts:
            await asyncio.sleep(0)
        return GOOD[stage.name](request)


def test_it_is_asked_while_the_stages_score(tmp_path: Path) -> None:
    asked = Asked(frozen)
    verdict = score(
        tmp_path, asked, remote={"rules_engine": AfterTheDenyList(asked)}, deadline_s=2.0, account_id="free"
    )
    assert (verdict.decision, verdict.degraded) == ("APPROVE", [])


def test_nobody_waits_for_it_once_there_can_be_no_verdict(tmp_path: Path) -> None:
    """In strict mode a stage that fails is the end, at once."""
    given_up = asyncio.Event()

    async def waiting(_: str) -> bool:
        try:
            return await silent(_)
        except asyncio.CancelledError:
            given_up.set()
            raise

    with pytest.raises(Problem) as refused:
        score(tmp_path, Asked(waiting), strict=True, deadline_s=60.0, remote={"rules_engine": Unreachable()})
    assert refused.value.status == 503
    assert given_up.is_set()


class Unreachable:
    """A stage elsewhere that cannot be reached, after some time."""

    async def send(self, stage: Stage[Any, Any], _: Any) -> Any:
        await asyncio.sleep(0.01)
        raise StageUnavailable(stage.name, "gone")
