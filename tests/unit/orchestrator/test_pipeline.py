"""The pipeline over a real ledger, with stages that answer, fail, or are elsewhere."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.sqlite.ledger import SqliteDecisionStore, SqliteLedger, SqliteProfileStore
from assay.errors import StageUnavailable, StorageError
from assay.features.rates import Rates
from assay.policy import Policy
from assay.problems import Problem
from assay.schemas.geoip import GeoIpRequest, GeoIpResult
from assay.schemas.stages import (
    AutoencoderScore,
    DecisionRequest,
    FraudScore,
    IsolationForestScore,
    RulesFlag,
    RulesResult,
    ScoringInput,
)
from assay.schemas.verdict import FraudVerdict, ReleaseRef, TransactionScored
from assay.stage_client import StageClient
from assay.stages import Stage
from functions.decision_engine.engine import DecisionEngine
from functions.orchestrator.intake import Submission, read_transaction
from functions.orchestrator.pipeline import Pipeline, Settings

RATES = Rates("EUR", datetime(2026, 1, 1, tzinfo=UTC).date(), {})
POLICY = Policy.load((Path(__file__).parents[3] / "training/defaults/policy.yaml").read_bytes())
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def allow(_: ScoringInput) -> RulesResult:
    return RulesResult(rules_flag=RulesFlag.ALLOW, fired=[], total_rules=16)


def block(_: ScoringInput) -> RulesResult:
    return RulesResult(rules_flag=RulesFlag.BLOCK, fired=[], total_rules=16)


def broken(_: object) -> Any:
    raise RuntimeError("broken")


def forbidden(_: object) -> Any:
    raise AssertionError("must not be called")


GOOD: dict[str, Callable[[Any], Any]] = {
    "rules_engine": allow,
    "isolation_forest": lambda _: IsolationForestScore(if_score=0.1, if_anomaly=False),
    "autoencoder": lambda _: AutoencoderScore(ae_error=0.1, ae_threshold=1.0, ae_anomaly=False),
    "xgboost_classifier": lambda _: FraudScore(fraud_score=0.01),
    "decision_engine": DecisionEngine(POLICY).decide,
}


def submission(n: int = 1, amount: float = 20.0, **changes: object) -> Submission:
    body = {
        "transaction_id": f"t-{n}",
        "account_id": "a",
        "amount": amount,
        "currency": "EUR",
        "channel": "web",
        "auth_method": "otp",
        **changes,
    }
    return read_transaction(json.dumps(body).encode(), "bank", RATES, NOW)


def run(
    tmp_path: Path,
    scenario: Callable[[Pipeline, SqliteLedger], Awaitable[Any]],
    remote: dict[str, Any] | None = None,
    strict: bool = False,
    deadline_s: float = 5.0,
    **stages: Callable[[Any], Any],
) -> Any:
    async def main() -> Any:
        tmp_path.mkdir(exist_ok=True)
        ledger = SqliteLedger(tmp_path / "assay.db")
        inline = {name: call for name, call in {**GOOD, **stages}.items() if name not in (remote or {})}
        settings = Settings(ReleaseRef(version="1", hash="h"), deadline_s, RATES, strict, frozenset({"denied"}))
        pipeline = Pipeline(
            StageClient(inline, remote), SqliteProfileStore(ledger), SqliteDecisionStore(ledger), settings
        )
        try:
            return await scenario(pipeline, ledger)
        finally:
            await ledger.close()

    return asyncio.run(main())


def score_one(tmp_path: Path, amount: float = 20.0, **options: Any) -> FraudVerdict:
    async def scenario(pipeline: Pipeline, _: SqliteLedger) -> bytes:
        return await pipeline.score(submission(amount=amount))

    return FraudVerdict.model_validate_json(run(tmp_path, scenario, **options))


def test_a_whole_decision(tmp_path: Path) -> None:
    verdict = score_one(tmp_path)
    assert verdict.decision == "APPROVE"
    assert verdict.degraded == []
    assert verdict.fraud_score == 0.01
    assert set(verdict.timings_us) == {"profile", "rules_engine", "models", "decision_engine", "total"}


def test_a_challenge_is_named_where_there_is_somebody_to_ask(tmp_path: Path) -> None:
    def risky(_: ScoringInput) -> FraudScore:
        return FraudScore(fraud_score=0.6)

    verdict = score_one(tmp_path / "one", xgboost_classifier=risky)
    assert verdict.decision == "CHALLENGE"
    assert verdict.challenge is not None
    assert verdict.challenge.id.startswith("chl_")
    assert len(verdict.challenge.id) == 4 + 128 // 4
    assert verdict.challenge.expires_at - verdict.decided_at == timedelta(seconds=300)
    again = score_one(tmp_path / "two", xgboost_classifier=risky)
    assert again.challenge is not None
    assert again.challenge.id != verdict.challenge.id
    assert score_one(tmp_path / "three").challenge is None

    flat = json.loads((Path(__file__).parents[3] / "events/score_flat_genuine.json").read_text())

    async def scenario(pipeline: Pipeline, _: SqliteLedger) -> bytes:
        return await pipeline.score(read_transaction(json.dumps(flat).encode(), "bank", RATES, NOW))

    nobody = FraudVerdict.model_validate_json(run(tmp_path / "four", scenario, xgboost_classifier=risky))
    assert (nobody.decision, nobody.challenge) == ("CHALLENGE", None)


def test_a_block_skips_the_models(tmp_path: Path) -> None:
    models = dict.fromkeys(("isolation_forest", "autoencoder", "xgboost_classifier"), forbidden)
    verdict = score_one(tmp_path, rules_engine=block, **models)
    assert (verdict.decision, verdict.is_early_exit, verdict.fraud_score) == ("DECLINE", True, None)


@pytest.mark.parametrize("stage", ["rules_engine", "isolation_forest", "autoencoder", "xgboost_classifier"])
def test_a_failing_stage_is_named_and_never_looks_safer(tmp_path: Path, stage: str) -> None:
    verdict = score_one(tmp_path, amount=200.0, **{stage: broken})
    assert verdict.degraded == [stage]
    assert verdict.decision == ("APPROVE" if stage in ("isolation_forest", "autoencoder") else "CHALLENGE")


@pytest.mark.parametrize("stage", ["rules_engine", "isolation_forest", "autoencoder", "xgboost_classifier"])
def test_strict_mode_gives_no_verdict_without_a_stage(tmp_path: Path, stage: str) -> None:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> None:
        with pytest.raises(Problem) as problem:
            await pipeline.score(submission())
        assert problem.value.status == 502
        assert ledger.reader.execute("SELECT count(*) FROM decisions").fetchone()[0] == 0

    run(tmp_path, scenario, strict=True, **{stage: broken})


@pytest.mark.parametrize(
    "answer",
    [
        lambda: FraudScore(fraud_score=float("nan")),
        lambda: FraudScore(fraud_score=float("inf")),
        lambda: FraudScore(fraud_score=-1.0),
        lambda: FraudScore(fraud_score="0.5"),  # type: ignore[arg-type]
        dict,
        lambda: None,
        lambda: b"x" * 10_000_000,
    ],
)
def test_an_answer_that_is_none_counts_as_a_failed_stage(tmp_path: Path, answer: Callable[[], Any]) -> None:
    verdict = score_one(tmp_path, amount=200.0, xgboost_classifier=lambda _: answer())
    assert (verdict.degraded, verdict.decision) == (["xgboost_classifier"], "CHALLENGE")


class Elsewhere:
    """A stage that is somewhere else: slow, unreachable, or working."""

    def __init__(self, delay_s: float = 0.0, error: Exception | None = None) -> None:
        self.delay_s, self.error = delay_s, error

    async def send(self, stage: Stage[Any, Any], request: Any) -> Any:
        await asyncio.sleep(self.delay_s)
        if self.error:
            raise self.error
        return GOOD[stage.name](request)


def test_stages_elsewhere_answer_as_well(tmp_path: Path) -> None:
    verdict = score_one(tmp_path, remote={name: Elsewhere() for name in GOOD})
    assert (verdict.decision, verdict.degraded) == ("APPROVE", [])


def test_a_stage_that_is_out_of_time_is_done_without(tmp_path: Path) -> None:
    verdict = score_one(tmp_path, remote={"xgboost_classifier": Elsewhere(delay_s=30)}, deadline_s=0.2, amount=200.0)
    assert (verdict.decision, verdict.degraded) == ("CHALLENGE", ["xgboost_classifier"])


def test_no_decision_engine_no_verdict_and_nothing_counted(tmp_path: Path) -> None:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> None:
        for _ in range(3):
            with pytest.raises(Problem) as problem:
                await pipeline.score(submission())
            assert problem.value.status == 503
        features = await pipeline._profile.observe("bank", submission(n=2).transaction)
        assert features["tx_count_last_1h"] == 1.0

    gone = StageUnavailable("decision_engine", "unreachable")
    run(tmp_path, scenario, remote={"decision_engine": Elsewhere(error=gone)})


async def unreadable(*_: object) -> Any:
    raise StorageError("disk")


async def silent(*_: object) -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("profile", [unreadable, silent])
def test_an_unreadable_profile_challenges_above_the_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Callable[..., Any]
) -> None:
    monkeypatch.setattr(SqliteProfileStore, "observe", profile)
    assert score_one(tmp_path / "a", amount=200.0).decision == "CHALLENGE"
    verdict = score_one(tmp_path / "b", amount=20.0)
    assert (verdict.decision, verdict.degraded) == ("APPROVE", ["profile"])


def test_stand_in_approvals_add_up_until_recovery(tmp_path: Path) -> None:
    flaky = {"down": True}

    def xgboost(_: object) -> FraudScore:
        if flaky["down"]:
            raise RuntimeError("down")
        return FraudScore(fraud_score=0.01)

    def broken_while_down(_: object) -> Any:
        return broken(_) if flaky["down"] else GOOD["isolation_forest"](_)

    async def scenario(pipeline: Pipeline, _: SqliteLedger) -> list[str]:
        decisions = []
        for n in range(8):
            flaky["down"] = n != 6
            decisions.append(json.loads(await pipeline.score(submission(n=n, amount=10.0)))["decision"])
        return decisions

    decisions = run(tmp_path, scenario, xgboost_classifier=xgboost, isolation_forest=broken_while_down)
    assert decisions == ["APPROVE"] * 5 + ["CHALLENGE"] + ["APPROVE"] * 2


def test_a_retry_gets_the_same_bytes_and_counts_once(tmp_path: Path) -> None:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> None:
        together = await asyncio.gather(*(pipeline.score(submission()) for _ in range(10)))
        later = await pipeline.score(submission())
        assert set(together) == {later}
        assert later == await pipeline.find("bank", "t-1")
        assert ledger.reader.execute("SELECT count(*) FROM outbox").fetchone()[0] == 1
        features = await pipeline._profile.observe("bank", submission(n=2).transaction)
        assert features["tx_count_last_1h"] == 2.0

    run(tmp_path, scenario)


def test_the_same_id_with_another_body_is_a_conflict(tmp_path: Path) -> None:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> None:
        together = await asyncio.gather(
            pipeline.score(submission()), pipeline.score(submission(amount=21.0)), return_exceptions=True
        )
        assert isinstance(together[1], Problem) and together[1].status == 409
        with pytest.raises(Problem) as problem:
            await pipeline.score(submission(amount=21.0))
        assert problem.value.status == 409
        assert ledger.reader.execute("SELECT count(*) FROM decisions").fetchone()[0] == 1

    run(tmp_path, scenario)


def test_a_commit_that_fails_gives_503_and_counts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> None:
        commit = ledger.commits.commit

        async def full(_: object) -> None:
            raise StorageError("database or disk is full")

        ledger.commits.commit = full  # type: ignore[method-assign,assignment]
        with pytest.raises(Problem) as problem:
            await pipeline.score(submission())
        assert (problem.value.status, problem.value.headers) == (503, {"Retry-After": "1"})
        ledger.commits.commit = commit  # type: ignore[method-assign]
        verdict = json.loads(await pipeline.score(submission()))
        assert verdict["decision"] == "APPROVE"
        features = await pipeline._profile.observe("bank", submission(n=2).transaction)
        assert features["tx_count_last_1h"] == 2.0

    run(tmp_path, scenario)


def test_the_deny_list_declines_even_without_rules(tmp_path: Path) -> None:
    async def scenario(pipeline: Pipeline, _: SqliteLedger) -> bytes:
        return await pipeline.score(submission(counterparty_id="denied"))

    assert json.loads(run(tmp_path, scenario, rules_engine=broken))["decision"] == "DECLINE"


def test_the_event_is_whole(tmp_path: Path) -> None:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> None:
        verdict = await pipeline.score(submission(device_id="d", features={"tx_count_last_5m": 3}))
        body = ledger.reader.execute("SELECT body FROM outbox").fetchone()[0]
        event = TransactionScored.model_validate_json(body)
        assert event.verdict == FraudVerdict.model_validate_json(verdict)
        assert event.features["tx_count_last_5m"] == 3.0
        assert event.client_id == "bank"
        assert event.amount_base == 20.0

    run(tmp_path, scenario)


def test_the_question_reaches_the_decision_engine_whole(tmp_path: Path) -> None:
    asked: list[DecisionRequest] = []

    def decide(request: DecisionRequest) -> Any:
        asked.append(request)
        return GOOD["decision_engine"](request)

    score_one(tmp_path, decision_engine=decide)
    assert DecisionRequest.model_validate(asked[0].model_dump()) == asked[0]


def in_germany(_: GeoIpRequest) -> GeoIpResult:
    return GeoIpResult(country="DE", network="5.9.0.0/16", known=True)


def event_of(tmp_path: Path, options: dict[str, Any] | None = None, **changes: object) -> TransactionScored:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> bytes:
        await pipeline.score(submission(**changes))
        return ledger.reader.execute("SELECT body FROM outbox").fetchone()[0]

    return TransactionScored.model_validate_json(run(tmp_path, scenario, **(options or {})))


def test_the_country_of_the_address_stands_in_for_one_that_was_not_sent(tmp_path: Path) -> None:
    event = event_of(tmp_path, {"geoip": in_germany}, ip_address="5.9.0.1")
    assert event.features["geo_country"] == "DE"
    assert event.geoip == GeoIpResult(country="DE", network="5.9.0.0/16", known=True)
    assert event.transaction.geo_country is None  # the record keeps what was sent
    assert "geoip" in event.verdict.timings_us
    assert event.verdict.degraded == []


@pytest.mark.parametrize("sent", [{"ip_address": "5.9.0.1", "geo_country": "RO"}, {"geo_country": "RO"}, {}])
def test_nobody_is_asked_for_a_country_that_was_sent_or_without_an_address(
    tmp_path: Path, sent: dict[str, str]
) -> None:
    event = event_of(tmp_path, {"geoip": forbidden}, **sent)
    assert (event.features["geo_country"], event.geoip) == (sent.get("geo_country"), None)
    assert "geoip" not in event.verdict.timings_us


def nowhere(_: GeoIpRequest) -> GeoIpResult:
    return GeoIpResult(country=None, network=None, known=False)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("stage", [broken, nowhere, lambda _: "DE", None])
def test_without_an_answer_the_country_is_unknown_and_the_verdict_whole(
    tmp_path: Path, stage: Callable[[Any], Any] | None, strict: bool
) -> None:
    options = {"strict": strict} | ({} if stage is None else {"geoip": stage})
    event = event_of(tmp_path, options, ip_address="5.9.0.1", amount=200.0)
    assert event.features["geo_country"] is None
    assert event.features["country_mismatch_flag"] is None
    assert (event.verdict.decision, event.verdict.degraded) == ("APPROVE", [])


def test_a_look_up_that_is_slow_leaves_time_for_the_verdict(tmp_path: Path) -> None:
    options = {"remote": {"geoip": Elsewhere(delay_s=30)}, "deadline_s": 1.0}
    event = event_of(tmp_path, options, ip_address="5.9.0.1")
    assert (event.features["geo_country"], event.verdict.decision) == (None, "APPROVE")


def test_looked_up_countries_count_as_sent_ones_do(tmp_path: Path) -> None:
    """Mismatch, distinct countries and travel speed: an account that pays from one place, then from another."""
    where = {"5.9.0.1": "DE", "41.75.80.1": "NG"}

    def look_up(request: GeoIpRequest) -> GeoIpResult:
        return GeoIpResult(country=where[request.ip_address], network=None, known=True)

    async def features(pipeline: Pipeline, ledger: SqliteLedger, send: Callable[[str], dict[str, str]]) -> Any:
        for n, address in enumerate(["5.9.0.1"] * 3 + ["41.75.80.1"]):
            moment = f"2026-03-01T10:{n:02}:00Z"
            await pipeline.score(submission(n, occurred_at=moment, **send(address)))
        (body,) = ledger.reader.execute("SELECT body FROM outbox ORDER BY sequence DESC").fetchone()
        return json.loads(body)["features"]

    looked_up = run(tmp_path / "a", lambda *it: features(*it, lambda ip: {"ip_address": ip}), geoip=look_up)
    sent = run(tmp_path / "b", lambda *it: features(*it, lambda ip: {"ip_address": ip, "geo_country": where[ip]}))
    assert looked_up == sent
    assert looked_up["country_mismatch_flag"] == 1.0
    assert looked_up["geo_country"] == "NG"


def test_a_retry_is_the_same_transaction_wherever_its_address_is_by_then(tmp_path: Path) -> None:
    answers = iter([in_germany(GeoIpRequest(ip_address="5.9.0.1"))])

    async def scenario(pipeline: Pipeline, _: SqliteLedger) -> None:
        first = await pipeline.score(submission(ip_address="5.9.0.1"))
        assert await pipeline.score(submission(ip_address="5.9.0.1")) == first

    run(tmp_path, scenario, geoip=lambda _: next(answers))


def test_a_verdict_that_fails_takes_back_what_was_counted_with_a_looked_up_country(tmp_path: Path) -> None:
    async def scenario(pipeline: Pipeline, ledger: SqliteLedger) -> None:
        with pytest.raises(Problem):
            await pipeline.score(submission(ip_address="5.9.0.1"))
        features = await pipeline._profile.observe("bank", submission(n=2, geo_country="RO").transaction)
        assert (features["tx_count_last_1h"], features["country_mismatch_flag"]) == (1.0, 0.0)

    run(tmp_path, scenario, geoip=in_germany, decision_engine=broken)


def test_a_transaction_is_decided_by_one_release_whatever_is_promoted_meanwhile(tmp_path: Path) -> None:
    """It is promoted while the rules are asked: the models and the decision are still the old ones'."""
    other = Settings(ReleaseRef(version="2", hash="other"), 5.0, RATES, strict=False)

    async def scenario(pipeline: Pipeline, _: SqliteLedger) -> list[FraudVerdict]:
        def promoting(request: ScoringInput) -> RulesResult:
            pipeline.switch(StageClient({**GOOD, "xgboost_classifier": lambda _: FraudScore(fraud_score=0.9)}), other)
            return allow(request)

        by = pipeline.deciding
        pipeline.switch(StageClient({**GOOD, "rules_engine": promoting}), by.settings)
        return [FraudVerdict.model_validate_json(await pipeline.score(submission(n))) for n in (1, 2)]

    before, after = run(tmp_path, scenario)
    assert (before.release.version, before.fraud_score, before.decision) == ("1", 0.01, "APPROVE")
    assert (after.release.version, after.fraud_score, after.decision) == ("2", 0.9, "DECLINE")


def test_a_submission_is_decided_by_what_it_was_read_by(tmp_path: Path) -> None:
    async def scenario(pipeline: Pipeline, _: SqliteLedger) -> bytes:
        by = pipeline.deciding
        pipeline.switch(StageClient({}), Settings(ReleaseRef(version="2", hash="other"), 5.0, RATES, strict=True))
        return await pipeline.score(submission(), by=by)

    assert FraudVerdict.model_validate_json(run(tmp_path, scenario)).release.version == "1"
