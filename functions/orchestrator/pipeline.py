"""A request, from door to door: country of the address, profile, rules, models, decision, one durable commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from time import perf_counter_ns
from typing import Any

from assay import stages
from assay.errors import AlreadyDecided, StageError, StageFailed, StorageError
from assay.features.profile import unknown_features
from assay.features.rates import FILE as RATES
from assay.features.rates import Rates
from assay.geoip import GEOIP
from assay.labels.ports import NOTHING_KNOWN, Standing, Standings
from assay.policy import ChallengeLimits, Policy
from assay.ports import DecisionStore, DenyList, ProfileStore
from assay.problems import Problem, unavailable
from assay.release.store import Release
from assay.schemas.geoip import GeoIpRequest, GeoIpResult
from assay.schemas.stages import Decision, DecisionResult, RulesFlag, ScoringInput, StandInUsage
from assay.schemas.verdict import FraudVerdict, ReleaseRef
from assay.stage_client import StageClient
from assay.stages import Stage
from functions.orchestrator.case import DENY_LIST, PROFILE, Case, question, record_of, verdict_of
from functions.orchestrator.intake import Submission
from functions.orchestrator.standing import NOTHING_USED, Knowledge

log = logging.getLogger(__name__)
MODELS: tuple[Stage[ScoringInput, Any], ...] = (stages.ISOLATION_FOREST, stages.AUTOENCODER, stages.XGBOOST_CLASSIFIER)
STAGES: tuple[Stage[Any, Any], ...] = (stages.RULES_ENGINE, *MODELS, stages.DECISION_ENGINE)
GEOIP_SHARE, PROFILE_SHARE, RULES_SHARE, MODELS_SHARE = 0.15, 0.3, 0.4, 0.8
"""Of the deadline: a slow stage must leave time for those after it, so that there is a verdict at all."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the release says about the pipeline itself."""

    release: ReleaseRef
    deadline_s: float
    rates: Rates
    """What amounts are compared by."""
    strict: bool
    """Seed B's way: a stage that fails is a 502, one that cannot be reached a 503; nothing is decided without it."""
    deny_list: frozenset[str] = frozenset()
    challenge_ttl_s: int | None = ChallengeLimits().ttl_s
    """How long a challenge is open. None: nobody here answers for challenges, and verdicts name none."""

    @classmethod
    def of(cls, release: Release, deadline_ms: int | None = None) -> Settings:
        """Those of the release, with another deadline if one is given. Raises PolicyError, ReleaseError."""
        policy = Policy.of(release)
        return cls(
            release=ReleaseRef(version=release.version, hash=release.hash),
            deadline_s=(deadline_ms or policy.deadline_ms) / 1000,
            rates=Rates.load(release.read(RATES)),
            strict=policy.mode == "strict",
            deny_list=frozenset(policy.deny_list),
            challenge_ttl_s=policy.challenge.ttl_s,
        )


@dataclass(frozen=True, slots=True)
class Deciding:
    """One release at work. A transaction is read and decided by one of these, whatever is promoted meanwhile."""

    client: StageClient
    settings: Settings


class Pipeline:
    """Gives every accepted transaction exactly one verdict."""

    def __init__(
        self,
        client: StageClient,
        profile: ProfileStore,
        decisions: DecisionStore,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        observer: Callable[[FraudVerdict], None] | None = None,
        deny_list: DenyList | None = None,
        standings: Standings | None = None,
    ) -> None:
        """`observer` is told of every verdict once it is durable, and must not raise.

        `deny_list`: denies besides the policy's own list. `standings`: what labels say, which may deny as well.
        """
        self.deciding = Deciding(client, settings)
        """What decides the next transaction."""
        self._profile = profile
        self._decisions = decisions
        self._now = now
        self._observer = observer
        self._knowledge = Knowledge(decisions, deny_list, standings)
        self._under_way: dict[tuple[str, str], tuple[bytes, asyncio.Future[bytes]]] = {}

    def switch(self, client: StageClient, settings: Settings) -> None:
        """Another release decides, from the next transaction on. From any thread."""
        self.deciding = Deciding(client, settings)

    async def score(
        self,
        submission: Submission,
        explain: bool = False,
        time_left_s: float = inf,
        by: Deciding | None = None,
    ) -> bytes:
        """The verdict's bytes; for a repeated transaction, those of the first time.

        `time_left_s`: what the caller can wait, if less than the deadline. `by`: what the submission was read by, if
        that may be another release than decides now.
        Raises `Problem`: 409 for the same id with another body, 502 / 503 when there can be no verdict.
        """
        key = (submission.client_id, submission.transaction.transaction_id)
        under_way = self._under_way.get(key)
        if under_way is not None:
            return _same(submission, under_way[0], await asyncio.shield(under_way[1]))
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._under_way[key] = (submission.fingerprint, answer)
        try:
            verdict = await self._find_or_decide(submission, by or self.deciding, explain, time_left_s)
        except BaseException as error:
            answer.set_exception(error if isinstance(error, Problem) else unavailable("interrupted", "Try again"))
            answer.exception()  # seen: nobody has to wait for it
            raise
        finally:
            del self._under_way[key]
        answer.set_result(verdict)
        return verdict

    async def find(self, client_id: str, transaction_id: str) -> bytes | None:
        """The bytes of the verdict given to this client for the transaction, if any. Raises `Problem` 503."""
        try:
            stored = await self._decisions.find(client_id, transaction_id)
        except StorageError as error:
            raise _storage_down(error) from error
        return None if stored is None else stored.verdict

    async def locate(self, request: GeoIpRequest) -> GeoIpResult:
        """Where an address is. Raises `Problem` 502 / 503 when the stage has no answer."""
        try:
            client, settings = self.deciding.client, self.deciding.settings
            return await client.call(GEOIP, request, client.clock() + settings.deadline_s)
        except StageError as error:
            log.warning("%s", error)
            raise _no_answer(error, "No GeoIP database answers; /ready says more") from error

    async def _find_or_decide(self, submission: Submission, by: Deciding, explain: bool, time_left_s: float) -> bytes:
        return await self._stored(submission) or await self._decide(submission, by, explain, time_left_s)

    async def _stored(self, submission: Submission) -> bytes | None:
        try:
            stored = await self._decisions.find(submission.client_id, submission.transaction.transaction_id)
        except StorageError as error:
            raise _storage_down(error) from error
        return None if stored is None else _same(submission, stored.fingerprint, stored.verdict)

    async def _decide(self, submission: Submission, by: Deciding, explain: bool, time_left_s: float) -> bytes:
        case = Case(submission, by, by.client.clock(), min(by.settings.deadline_s, time_left_s))
        await self._find_country(case)
        await self._read_profile(case)
        try:
            return await self._decide_and_commit(case, explain)
        except BaseException as error:
            # Without a durable verdict the transaction was not accepted, so it must not count either.
            await self._take_back(case)
            if isinstance(error, AlreadyDecided) and (verdict := await self._stored(submission)) is not None:
                return verdict
            if isinstance(error, StageError):
                raise _no_verdict(error) from error
            if isinstance(error, StorageError):
                raise _storage_down(error) from error
            raise

    async def _take_back(self, case: Case) -> None:
        if PROFILE in case.degraded:
            return
        try:
            await self._profile.retract(case.submission.client_id, case.submission.transaction)
        except StorageError as error:
            log.error("an observation could not be taken back: %s", error)  # the store forgets it by itself

    async def _find_country(self, case: Case) -> None:
        """The country of the address, where the caller sent none.

        Without an answer the country is unknown, as if no address had been sent: no part of a decision is missing.
        """
        transaction, start = case.submission.transaction, perf_counter_ns()
        if transaction.country is not None or transaction.address is None or not case.by.client.has(GEOIP):
            return
        try:
            request = GeoIpRequest(ip_address=transaction.address)
            case.geoip = await case.by.client.call(GEOIP, request, case.until(GEOIP_SHARE))
        except StageError as error:
            log.warning("decided without the country of the address: %s", error)
            return
        transaction.country = case.geoip.country
        case.lap(GEOIP.name, start)

    async def _read_profile(self, case: Case) -> None:
        transaction, start = case.submission.transaction, perf_counter_ns()
        try:
            async with asyncio.timeout(case.until(PROFILE_SHARE) - case.by.client.clock()):
                case.features = await self._profile.observe(case.submission.client_id, transaction)
        except (StorageError, TimeoutError) as error:
            if case.by.settings.strict:
                raise _storage_down(error) from error
            log.warning("decided without the profile: %s", str(error) or "no time")
            case.features = unknown_features(transaction)
            case.degraded.append(PROFILE)
        case.features.update(case.submission.given)
        case.lap(PROFILE, start)

    async def _decide_and_commit(self, case: Case, explain: bool) -> bytes:
        start = perf_counter_ns()
        standing, usage = await self._score(case, explain)
        lap = perf_counter_ns()
        result = await case.by.client.call(stages.DECISION_ENGINE, question(case, standing, usage), case.until(1.0))
        case.lap("decision_engine", lap)
        case.lap("total", start)
        decided_at = self._now()
        verdict = verdict_of(case, result, decided_at)
        body = verdict.model_dump_json().encode()
        await self._decisions.commit(record_of(case, body, decided_at, usage, _usage_after(case, usage, result)))
        if self._observer is not None:
            self._observer(verdict)
        return body

    async def _score(self, case: Case, explain: bool) -> tuple[Standing, StandInUsage]:
        """Runs the stages and meanwhile reads what else is known: on AWS three more calls, one after the other."""
        reading = asyncio.create_task(self._knowledge.of(case))
        try:
            await self._run_stages(case, explain)
            known = await reading
        finally:
            reading.cancel()
        if isinstance(known, StorageError):
            raise known
        if known.standing is None:
            case.degraded.append(DENY_LIST)
        return known.standing or NOTHING_KNOWN, known.usage

    async def _run_stages(self, case: Case, explain: bool) -> None:
        """Rules first; the models only when no rule blocks."""
        request = ScoringInput(
            transaction_id=case.submission.transaction.transaction_id,
            features=case.features,
            explain=explain,
            release=case.by.settings.release.hash,
        )
        start = perf_counter_ns()
        try:
            case.rules = await case.by.client.call(stages.RULES_ENGINE, request, case.until(RULES_SHARE))
        except StageError as error:
            self._do_without(case, error)
        start = case.lap(stages.RULES_ENGINE.name, start)
        if case.rules is not None and case.rules.rules_flag is RulesFlag.BLOCK:
            return
        until = case.until(MODELS_SHARE)
        answers = await case.by.client.call_together([(stage, request) for stage in MODELS], until)
        for stage, answer in zip(MODELS, answers, strict=True):
            if isinstance(answer, StageError):
                self._do_without(case, answer)
            else:
                case.scores[stage.name] = answer
        case.lap("models", start)

    def _do_without(self, case: Case, error: StageError) -> None:
        if case.by.settings.strict:
            raise error
        log.warning("decided without %s: %s", error.stage, error.reason)
        case.degraded.append(error.stage)


def _usage_after(case: Case, used: StandInUsage, result: DecisionResult) -> StandInUsage | None:
    """What stand-in approvals add up to; a full decision ends the count. None: nothing changes."""
    if not case.degraded:
        return NOTHING_USED if used.count else None
    if not result.stand_in or result.decision is not Decision.APPROVE:
        return None
    return StandInUsage(count=used.count + 1, amount=used.amount + (case.amount or 0.0))


def _same(submission: Submission, fingerprint: bytes, verdict: bytes) -> bytes:
    if fingerprint != submission.fingerprint:
        raise Problem(409, "conflict", "This transaction_id was used for a transaction with another body")
    return verdict


def _no_verdict(error: StageError) -> Problem:
    return _no_answer(error, f"No verdict without {error.stage}")


def _no_answer(error: StageError, detail: str) -> Problem:
    status = 502 if isinstance(error, StageFailed) else 503
    return Problem(status, "stage", detail, headers={"Retry-After": "1"})


def _storage_down(error: StorageError | TimeoutError) -> Problem:
    log.error("storage: %s", str(error) or "no time")
    return unavailable("storage", "The decision could not be made durable; send it again")
